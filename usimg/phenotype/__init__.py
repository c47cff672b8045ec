"""Patients x features to groups, or none shown.

In this version: k-means on standardised features, a severity score, and a claim that never exceeds
what they can show. The tests that could support groups are named in ``Phenotypes.checks`` as not run.
"""

from __future__ import annotations

from usimg.phenotype.clustering import cluster as cluster
from usimg.phenotype.result import Phenotypes as Phenotypes
from usimg.phenotype.table import columns_with_role as columns_with_role

__all__ = ["Phenotypes", "cluster", "columns_with_role"]
