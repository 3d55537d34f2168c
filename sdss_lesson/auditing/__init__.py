"""Audits of your own code: is this accuracy right, and is this split clean?"""

from sdss_lesson.auditing.evaluator.examine import audit
from sdss_lesson.auditing.evaluator.report import AuditReport
from sdss_lesson.auditing.split.examine import audit_split
from sdss_lesson.auditing.split.report import SplitReport

__all__ = ["AuditReport", "SplitReport", "audit", "audit_split"]
