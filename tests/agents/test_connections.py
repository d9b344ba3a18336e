"""Client arguments follow the settings, and no password shows where a person may look."""

from __future__ import annotations

import ssl

import pytest
from aiokafka.errors import KafkaConnectionError

from funnelwatch.agents.connections import SECURITIES, kafka_client, kafka_trouble, redis_client
from funnelwatch.agents.errors import OperationError
from funnelwatch.schemas.settings import KafkaSettings, RedisSettings, Secrets, Settings

SECRETS = Secrets(kafka_password="kafka-pass", redis_password="redis-pass")


def with_security(security: str, **more) -> Settings:
    return Settings(kafka=KafkaSettings(security=security, username="ann", **more))


def test_plaintext_sends_no_credentials():
    assert kafka_client(with_security("plaintext"), SECRETS) == {"bootstrap_servers": ["127.0.0.1:9092"]}


@pytest.mark.parametrize(
    ("security", "protocol", "mechanism"),
    [
        ("plain", "SASL_PLAINTEXT", "PLAIN"),
        ("plain+tls", "SASL_SSL", "PLAIN"),
        ("scram-sha-256", "SASL_PLAINTEXT", "SCRAM-SHA-256"),
        ("scram-sha-512+tls", "SASL_SSL", "SCRAM-SHA-512"),
    ],
)
def test_sasl_names_its_mechanism_and_credentials(security, protocol, mechanism):
    arguments = kafka_client(with_security(security), SECRETS)
    context = arguments.pop("ssl_context", None)

    assert arguments == {
        "bootstrap_servers": ["127.0.0.1:9092"],
        "security_protocol": protocol,
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "ann",
        "sasl_plain_password": "kafka-pass",
    }
    assert isinstance(context, ssl.SSLContext) == protocol.endswith("_SSL")


def test_tls_checks_the_certificate_and_the_host_name():
    arguments = kafka_client(with_security("tls"), SECRETS)

    assert arguments["security_protocol"] == "SSL"
    assert arguments["ssl_context"].verify_mode == ssl.CERT_REQUIRED
    assert arguments["ssl_context"].check_hostname is True


def test_an_unknown_security_lists_the_known_ones():
    with pytest.raises(OperationError, match="choose one of " + ", ".join(SECURITIES).replace("+", r"\+")):
        kafka_client(with_security("kerberos"), SECRETS)


def test_a_ca_file_that_is_none_says_so(tmp_path):
    empty = tmp_path / "ca.pem"
    empty.write_text("nothing")

    with pytest.raises(OperationError, match=r"kafka\.ca_file .*ca\.pem cannot be used"):
        kafka_client(with_security("tls", ca_file=str(empty)), SECRETS)


def test_trouble_with_credentials_hints_at_the_password_without_showing_it():
    error = kafka_trouble(with_security("plain"), KafkaConnectionError("Unable to bootstrap"))

    assert "FUNNELWATCH_KAFKA_PASSWORD" in str(error)
    assert "kafka-pass" not in str(error)


def test_redis_arguments_leave_out_what_is_empty():
    arguments = redis_client(Settings(redis=RedisSettings(host="r", port=1, database=2, tls=True)), Secrets())

    assert (arguments["host"], arguments["port"], arguments["db"], arguments["ssl"]) == ("r", 1, 2, True)
    assert (arguments["username"], arguments["password"]) == (None, None)


def test_redis_gets_its_password():
    assert redis_client(Settings(), SECRETS)["password"] == "redis-pass"
