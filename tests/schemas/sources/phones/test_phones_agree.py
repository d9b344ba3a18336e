"""What holds for every telephone system: the same call comes out the same, however often it is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.samples_phones import SAMPLES

from funnelwatch.schemas.sources.contract import Outgoing, SourceOptions
from funnelwatch.schemas.sources.phones import SYSTEMS as PHONES

BY_NAME = {system.name: system for system in PHONES}
ALL = [(name, number) for name, found in SAMPLES.items() for number in range(len(found))]
DOCS = Path(__file__).parents[4] / "docs" / "sources"


def test_every_telephone_system_has_a_sample_of_its_own():
    assert set(SAMPLES) == set(BY_NAME)


@pytest.mark.parametrize(("name", "number"), ALL)
def test_a_delivery_that_comes_again_says_the_same(name, number):
    delivery, options = SAMPLES[name][number]
    found = BY_NAME[name].translate(delivery, options)

    assert BY_NAME[name].translate(delivery, options) == found
    assert [one.type for one in found if isinstance(one, Outgoing)]


@pytest.mark.parametrize(("name", "number"), ALL)
def test_no_address_that_expires_is_published(name, number):
    delivery, options = SAMPLES[name][number]

    for one in BY_NAME[name].translate(delivery, options):
        assert not re.search(r"X-Amz|Expires|Signature", str(one.data))


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_an_option_that_cannot_be_is_told(name):
    system = BY_NAME[name]
    wrong = SourceOptions(
        name="phones",
        system=name,
        options={"extensions": "1-a", "dial_prefix": "nine", "recordings": "ftp://pbx"},
    )

    assert [problem.partition(":")[0] for problem in system.check(wrong)] == ["extensions", "recordings", "dial_prefix"]
    assert system.check(SourceOptions(name="phones", system=name)) == []


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_wrong_or_missing_proof_is_not_believed(name):
    system = BY_NAME[name]
    for delivery, options in SAMPLES[name]:
        with pytest.raises(Exception, match=r"missing_proof|wrong_proof|unreadable_proof"):
            system.proof.verify(delivery, "another secret", options, delivery.received_us)
