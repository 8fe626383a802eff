"""The rare questions: a certificate's last day, and a name's addresses.  Asked in threads of a small pool, since both block."""

import socket
import ssl
from datetime import UTC, datetime

from holdfast.watch.target import Target, Word

_DAY_S = 86400.0


def certificate(target: Target, now_wall_s: float) -> tuple[Word, str]:
    """Whether it is trusted, fits the name, and lasts for `days_left` days more; with the day of its end.

    now_wall_s: seconds since 1970, because certificates know no other clock.
    """
    try:
        with socket.create_connection((target.host, target.port), target.timeout_s) as plain:
            plain.settimeout(target.timeout_s)
            with ssl.create_default_context().wrap_socket(plain, server_hostname=target.host) as secured:
                ends = str((secured.getpeercert() or {}).get("notAfter", ""))
    except ssl.SSLCertVerificationError as error:
        return "no", error.verify_message
    except TimeoutError:
        return "unknown", "no answer in time"
    except ssl.SSLError as error:
        return "unknown", f"no TLS there: {error.reason}"
    except OSError as error:
        return "unknown", error.strerror or str(error)
    ends_s = ssl.cert_time_to_seconds(ends)
    days = (ends_s - now_wall_s) / _DAY_S
    day = datetime.fromtimestamp(ends_s, UTC).date().isoformat()
    return ("yes" if days >= target.days_left else "no"), f"ends on {day}, in {days:.0f} days"


def lookup(target: Target) -> tuple[Word, str]:
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(target.host, None, type=socket.SOCK_STREAM)}
    except socket.gaierror as error:
        return ("unknown" if error.errno == socket.EAI_AGAIN else "no"), error.strerror or str(error)
    return "yes", ", ".join(sorted(map(str, found)))
