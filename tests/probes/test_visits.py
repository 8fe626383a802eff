"""A visitor with a session notices when another server answers."""

from holdfast.probes.exchange import Response
from holdfast.probes.http import Visitor


def answer(server: str, **headers: str) -> Response:
    return Response(200, b"", {"x-served-by": server, **{name.replace("_", "-"): value for name, value in headers.items()}})


def test_the_cookie_that_was_given_is_sent_from_then_on():
    visitor = Visitor()
    assert visitor.cookie == ""
    visitor.met(answer("web1", set_cookie="SERVER=one; path=/; HttpOnly"))
    visitor.met(answer("web1"))
    assert visitor.cookie == "SERVER=one"


def test_each_change_of_server_is_one_lost_session():
    visitor = Visitor()
    words = [visitor.met(answer(server)).answer for server in ("web1", "web1", "web2", "web2", "web1")]
    assert words == ["yes", "yes", "no", "yes", "no"]


def test_an_answer_of_nobody_in_particular_proves_no_session():
    reply = Visitor().met(Response(200, b"", {}))
    assert reply.answer == "no"
    assert "X-Served-By" in reply.detail
