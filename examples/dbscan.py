from sklearn.cluster import DBSCAN
from sklearn.datasets import load_iris

from parataxis.audit import audit


def cluster_sizes(flowers):
    labels = DBSCAN(eps=0.4).fit_predict(flowers).tolist()
    return sorted(labels.count(label) for label in set(labels))


print(audit(cluster_sizes, load_iris().data))
