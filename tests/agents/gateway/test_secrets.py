"""A secret a line, each as good; a key in PEM has several lines and is one."""

from __future__ import annotations

from funnelwatch.agents.gateway.sources import SourceSecrets
from funnelwatch.schemas.settings import SourceSettings

PEM = "-----BEGIN PUBLIC KEY-----\nMIIB\nIjAN\n-----END PUBLIC KEY-----\n"


def test_a_key_in_pem_is_one_secret_beside_others(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"old\n{PEM}{PEM.replace('MIIB', 'MIIC')}\n")

    found = SourceSecrets(SourceSettings(name="gong", system="gong", secret_file=str(path)), {}, needed=True)

    assert found.values == (
        "old",
        "-----BEGIN PUBLIC KEY-----\\nMIIB\\nIjAN\\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\\nMIIC\\nIjAN\\n-----END PUBLIC KEY-----",
    )
