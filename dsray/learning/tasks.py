"""What a sequence of tasks cost: figures from the accuracy matrix (Lopez-Paz & Ranzato 2017, Chaudhry et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

Matrix = Sequence[Sequence[float]]
"""matrix[i][j]: accuracy on task j after learning task i, j <= i."""


def learning_accuracy(matrix: Matrix) -> float:
    """Mean accuracy on each task just after it was learnt; guards against retention of nothing."""
    return sum(row[i] for i, row in enumerate(matrix)) / len(matrix)


def retention(matrix: Matrix) -> float:
    """Mean final accuracy over mean just-learnt accuracy; 0 where nothing was learnt."""
    learnt = learning_accuracy(matrix)
    return sum(matrix[-1]) / len(matrix[-1]) / learnt if learnt else 0.0


def forgetting(matrix: Matrix) -> float:
    """Mean drop from the best accuracy a task ever had to its final one, over all but the last task."""
    tasks = len(matrix)
    if tasks < 2:
        return 0.0
    drops = [max(matrix[i][j] for i in range(j, tasks)) - matrix[-1][j] for j in range(tasks - 1)]
    return sum(drops) / len(drops)
