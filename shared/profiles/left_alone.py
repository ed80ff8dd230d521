"""What functions tell of profiles that did not take what is new, or could not be read."""

from collections.abc import Mapping

from aws_lambda_powertools.metrics import MetricUnit

from shared.profiles.unwritten import ProfilesUnreadable, Unwritten, summary
from shared.telemetry.logs import logger, metrics


def report(profiles: Mapping[str, Unwritten]) -> None:
    """Logs why, with some of their anonymous names, and counts those that cannot be read."""
    if profiles:
        logger.error("Some profiles were left as they are", extra={"reason": summary(profiles)})
    if unreadable := sum(issubclass(why.error, ProfilesUnreadable) for why in profiles.values()):
        metrics.add_metric("ProfilesUnreadable", MetricUnit.Count, unreadable)
