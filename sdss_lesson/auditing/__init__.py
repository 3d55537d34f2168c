"""Audits of what somebody else wrote: is this accuracy right, and is this split clean?"""

from sdss_lesson.auditing.evaluator_report import AuditReport
from sdss_lesson.auditing.evaluators import audit
from sdss_lesson.auditing.split_report import SplitReport
from sdss_lesson.auditing.splits import audit_split

__all__ = ["AuditReport", "SplitReport", "audit", "audit_split"]
