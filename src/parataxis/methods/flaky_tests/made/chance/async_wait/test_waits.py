# Planted: work that goes on elsewhere, for which the test waits not at all, or a while instead of for its end.
import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import outside


def test_mail_is_sent():
    sent = []

    def send():
        outside.delay(0, 0.02)
        sent.append("mail")

    threading.Thread(target=send, daemon=True).start()
    time.sleep(0.012)
    assert sent == ["mail"]


def test_cache_is_filled():
    cache = {}

    async def main():
        async def fill():
            await asyncio.to_thread(outside.delay, 0, 0.02)
            cache["key"] = "value"

        filling = asyncio.create_task(fill())
        await asyncio.sleep(0.013)
        assert cache == {"key": "value"}
        await filling

    asyncio.run(main())


def test_report_is_there(tmp_path):
    report = tmp_path / "report.txt"
    source = f"import random,time; time.sleep(random.uniform(0,.06)); open({str(report)!r}, 'w').write('done')"
    process = subprocess.Popen([sys.executable, "-S", "-c", source])
    time.sleep(0.055)
    text = report.read_text() if report.exists() else ""
    process.wait()
    assert text == "done"


def test_engine_starts_in_time():
    started = threading.Event()

    def start():
        outside.delay(0, 0.03)
        started.set()

    threading.Thread(target=start).start()
    assert started.wait(timeout=0.018)


def test_status_becomes_ready():
    status = ["starting"]

    def start():
        outside.delay(0.005, 0.03)
        status[0] = "ready"

    threading.Thread(target=start).start()
    for _ in range(6):
        if status[0] == "ready":
            break
        time.sleep(0.003)
    assert status[0] == "ready"


def test_answer_within_the_limit():
    async def main():
        return await asyncio.wait_for(asyncio.to_thread(outside.delay, 0, 0.03), timeout=0.02)

    asyncio.run(main())


def test_listener_was_called():
    calls = []

    def notify():
        outside.delay(0, 0.004)
        calls.append("notified")

    threading.Thread(target=notify, daemon=True).start()
    outside.delay(0, 0.008)  # meanwhile another request
    assert calls == ["notified"]


def test_result_before_the_deadline():
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(outside.delay, 0, 0.03)
        deadline = time.monotonic() + 0.02
        while not future.done() and time.monotonic() < deadline:
            time.sleep(0.002)
        assert future.done()
