"""Every real payload of a telephone system translates, or is passed or refused for the reason that is written here."""

from __future__ import annotations

import pytest
from support.samples import FORM, JSON, NOW_US, PAYLOADS, payload
from support.samples_phones import options

from funnelwatch.schemas.reasons import RefusedError
from funnelwatch.schemas.sources.contract import Delivery, Passed
from funnelwatch.schemas.sources.registry import SYSTEMS

FOLDERS = ("aircall", "asterisk", "dialpad", "gong", "ringcentral", "simotel", "twilio")
BECOMES = {
    "aircall/call_answered_outbound.json": ["passed call_not_ended"],
    "aircall/call_created_outbound.json": ["passed call_not_ended"],
    "aircall/call_ended_outbound.json": ["call.completed"],
    "aircall/call_hungup_outbound.json": ["call.completed"],
    "asterisk/ami_Cdr_event_syntax.txt": ["refused bad_time"],
    "asterisk/ami_capture_originate_with_events.txt": ["passed internal_call"],
    "asterisk/ami_dial_success.txt": ["passed no_extension"],
    "dialpad/call_event_hangup.json": ["call.completed"],
    "dialpad/sms_outbound.json": ["passed not_a_call"],
    "gong/webhook_call_created.json": ["passed test_delivery"],
    "ringcentral/call_log_record_with_recording.json": ["call.completed", "call.recorded"],
    "ringcentral/telephony_session_answered_inbound.json": ["passed internal_call"],
    "ringcentral/telephony_session_setup_inbound.json": ["call.recorded"],
    "simotel/cdr_1.json": ["passed internal_call"],
    "simotel/cdr_queue.json": ["passed internal_call"],
    "simotel/incoming_call.txt": ["refused unreadable_json"],
    "simotel/new_state_1.json": ["passed call_not_ended"],
    "twilio/call_status_callback_completed.txt": ["call.completed"],
    "vtiger/pbxmanager_callback_Hangup.txt": ["refused bad_time"],
    "vtiger/pbxmanager_callback_StartApp.txt": ["refused bad_time"],
}
ELSEWHERE = {
    "asterisk/cdr_examples.md.txt",  # tables in Markdown: test_cdr reads them
    "twilio/signature_vectors.json",  # test_twilio computes them
}


@pytest.mark.parametrize("path", sorted(BECOMES))
def test_a_real_payload_becomes_what_is_written_here(path):
    if not (PAYLOADS / path).exists():
        pytest.skip("the payloads are not beside this checkout")
    folder = path.split("/")[0]
    system = "pbxmanager" if folder == "vtiger" else folder
    headers = FORM if folder in {"twilio", "vtiger"} else JSON
    delivery = Delivery(headers=headers, body=payload(path).strip(), received_us=NOW_US)

    assert BECOMES[path] == told(SYSTEMS[system], delivery, options(system))


def told(system, delivery, settings):
    try:
        found = system.translate(delivery, settings)
    except RefusedError as error:
        return [f"refused {error.reason}"]
    return [f"passed {one.reason}" if isinstance(one, Passed) else one.type for one in found]


def test_no_payload_is_left_out():
    if not PAYLOADS.exists():
        pytest.skip("the payloads are not beside this checkout")
    there = {f"{folder}/{path.name}" for folder in FOLDERS for path in (PAYLOADS / folder).iterdir()}
    there |= {f"vtiger/{path.name}" for path in (PAYLOADS / "vtiger").glob("pbxmanager*")}

    assert there - ELSEWHERE == set(BECOMES)
