"""Patients x features to groups, or none shown, with the evidence and what it means."""

from __future__ import annotations

from usimg.phenotype.clustering import cluster as cluster
from usimg.phenotype.recipe import Preparation as Preparation
from usimg.phenotype.result import Phenotypes as Phenotypes
from usimg.phenotype.table import columns_with_role as columns_with_role

__all__ = ["Phenotypes", "Preparation", "cluster", "columns_with_role"]
