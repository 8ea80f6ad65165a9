"""Values that parsers, validators and frameworks have stumbled over.

Nothing in these tables asks for another protocol or for a part of the reply, because answering
that is the business of servers and not of twins.
"""

from __future__ import annotations

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")

TEXTS = (
    "", " ", "0", "-0", "00", "01", "-1", "+1", " 1", "1 ", "1.0", "1e2", "0x1", "1_0", "٣", "½",
    "NaN", "Infinity", "null", "true", "None", "undefined", "[]", "{}", "'", '"', "\\", "%", "%00",
    "\0", "\t", "\n", "\r\n", "\x1f", "\x7f", "\x85", "\xa0", "\u2028", "\u200b", "\ufeff", "\ufffd",
    "é", "e\u0301", "ß", "ı", "İ", "ﬁ", "𝒜", "👩‍💻", "أ", "e" * 101, "é" * 100, "a" * 2000,
    ".", "..", "/", "//", "a/b", "?", "#", "&", "=", ";", "+", ":", "@", "a@b.c", "<b>", "${1}",
    str(2**31), str(2**63 - 1), str(2**63), str(-(2**63)), str(-(2**63) - 1), "9" * 5000,
)  # fmt: skip

INTEGERS = (0, -0.0, 1, -1, 150, 151, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**400)
FLOATS = (1.0, 30.0, 1.5, 1e308, float("inf"), float("-inf"), float("nan"), 5e-324)

#: Names of JSON members.
MEMBERS = ("", "id", "name", "NAME", " name", "__proto__", "email\0", "é", "e\u0301", "age", "$ref")

#: Names of query parameters.
PARAMETERS = ("", "q", "id", "Size", "size[]", "size ", "é", "a.b", "__class__")

#: Parts of a query, as they are sent.
QUERY_PARTS = (
    "&", "a", "=", "==", "a=&", "%", "%zz=1", "+", ";a=1", "?", "size", "size=+", "a%3Db",
)  # fmt: skip

#: Percent-encoded bytes that are not UTF-8.
NOT_UTF8 = ("%FF", "%C3", "%ED%A0%80")

BODIES = (
    b"", b" ", b"\0", b"nul", b"NaN", b"-", b"1e400", b"[1,]", b"{}{}", b'"\\ud83d"',
    b"\xef\xbb\xbf", b"\xff\xfe", b"[" * 90, b'{"a":' * 90, b"9" * 4400, b"//\n{}",
)  # fmt: skip

CONTENT_TYPES = (
    "application/json", "APPLICATION/JSON", "application/json;", "application/json ;charset=utf-8",
    "application/json; charset=latin-1", "application/json; charset=utf-16",
    'application/json; charset="utf-8"', "application/json; x", "application/json;;", "application/ json",
    "application/problem+json", "application/+json", "application/x+JSON", "application/jsonp",
    "application/json+xml", "application/a+json/b", "application/a/b+json", "application/json,text/plain",
    "text/json", "text/plain", "text/x+json", "json", "/json", "application/", "application", "*/*",
    "; charset=utf-8", "", " application/json", "multipart/form-data", "application/octet-stream",
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json\t; a=b",
)  # fmt: skip

HEADERS = (
    ("accept", "text/html"), ("accept", "application/xml;q=1, */*;q=0"), ("accept", ""),
    ("accept-encoding", "gzip, br"), ("accept-language", "tlh"), ("accept-charset", "utf-16"),
    ("authorization", "Basic Og=="), ("authorization", "Bearer x.y.z"), ("authorization", ""),
    ("cookie", "a=b; c"), ("cookie", "session=\"é; ;="), ("content-language", "de"),
    ("content-encoding", "gzip"), ("content-md5", "x"), ("content-range", "bytes 0-1/2"),
    ("origin", "null"), ("access-control-request-method", "PUT"), ("date", "yesterday"),
    ("referer", "http://["), ("user-agent", ""), ("user-agent", "x" * 1000),
    ("if-none-match", "*"), ("if-match", "\"x\""), ("if-modified-since", "never"), ("range", "bytes=0-0"),
    ("x-http-method-override", "DELETE"), ("x-requested-with", "XMLHttpRequest"),
    ("x-forwarded-for", "::1, x"), ("x-forwarded-proto", "https"), ("x-forwarded-prefix", "/users"),
    ("x-forwarded-host", "example.org"), ("x-original-url", "/cpu"), ("x-script-name", "/hello"),
    ("forwarded", "for=_x;host=y"), ("via", "1.0 x"), ("max-forwards", "0"), ("expect", "100-continue"),
    ("connection", "close"), ("cache-control", "only-if-cached"), ("prefer", "return=minimal"),
    ("host", "example.org"), ("host", "EXAMPLE.org:80"), ("host", "localhost:1"), ("host", "[::1]:80"),
)  # fmt: skip
