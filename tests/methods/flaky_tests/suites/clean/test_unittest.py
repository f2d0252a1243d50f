import unittest


class TestOld(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = (1, 2)

    def setUp(self):
        self.own = []

    def test_shared(self):
        self.assertEqual(self.shared, (1, 2))

    def test_own(self):
        self.own.append(1)
        self.assertEqual(self.own, [1])

    @unittest.skip("never")
    def test_skipped(self):
        raise AssertionError
