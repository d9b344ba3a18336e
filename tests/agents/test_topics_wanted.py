"""What topics are created and checked with follows from the settings."""

from __future__ import annotations

import pytest

from funnelwatch.agents import topics
from funnelwatch.schemas.settings import KafkaSettings, Settings


@pytest.mark.parametrize(("replication", "in_sync"), [(1, None), (2, None), (3, "2"), (5, "2")])
def test_with_three_replicas_or_more_two_have_to_have_what_is_acknowledged(replication, in_sync):
    wanted = topics.wanted(Settings(kafka=KafkaSettings(replication=replication)))

    assert {(topic.config | topic.created_with).get(topics.IN_SYNC) for topic in wanted} == {in_sync}


def test_of_topics_that_others_publish_to_it_is_their_choice():
    settings = Settings(kafka=KafkaSettings(replication=3))

    checked = {topic.name for topic in topics.wanted(settings) if topics.IN_SYNC in topic.config}

    assert len(checked) == 7  # changelogs, links and dead letters
    assert not any(name.startswith(("crm.deals", "kpi.")) for name in checked)
