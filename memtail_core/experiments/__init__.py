"""What is asked of studies beyond their scores, one file per question: a plan and an analysis."""
