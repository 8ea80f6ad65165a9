"""The contract: every endpoint, with sample requests and the replies that both twins owe them.

Both twins answer every sample with the same status, headers and bytes. JSON is compact, and its
members come in the order in which they are written here. A file describes one feature and has the
name of the feature's file in the twins; `endpoints.py` puts the features together.

Nothing here imports a framework, because the processes that send the load import the contract too.

The names below are all that other packages use. Where a function has the name of its file
(`contract.hello`), the name stands for the function.
"""

from apps.contract.auth import login, protected
from apps.contract.cpu import cpu_native, cpu_python
from apps.contract.crash import crash
from apps.contract.dashboard import dashboard
from apps.contract.endpoints import ENDPOINTS, needs, path_template, samples, tested
from apps.contract.export import export
from apps.contract.hello import hello
from apps.contract.items import lookup_item, search_items
from apps.contract.live import exchanges, live_message
from apps.contract.page import page
from apps.contract.predict import predict
from apps.contract.problems import refused
from apps.contract.records import (
    NO_BODY,
    Containing,
    Endpoint,
    Exchange,
    Expected,
    FromReply,
    IntegerAbove,
    Message,
    Need,
    NoBody,
    Sample,
    TextLike,
)
from apps.contract.users import lookup_user, validate_user
from apps.contract.weather import CITIES, weather
from apps.domain.catalogue import SEEDED_USERS
from apps.domain.dashboard import QUERIES_MAX, WORK_MAX

__all__ = [
    "CITIES",
    "ENDPOINTS",
    "NO_BODY",
    "QUERIES_MAX",
    "SEEDED_USERS",
    "WORK_MAX",
    "Containing",
    "Endpoint",
    "Exchange",
    "Expected",
    "FromReply",
    "IntegerAbove",
    "Message",
    "Need",
    "NoBody",
    "Sample",
    "TextLike",
    "cpu_native",
    "cpu_python",
    "crash",
    "dashboard",
    "exchanges",
    "export",
    "hello",
    "live_message",
    "login",
    "lookup_item",
    "lookup_user",
    "needs",
    "page",
    "path_template",
    "predict",
    "protected",
    "refused",
    "samples",
    "search_items",
    "tested",
    "validate_user",
    "weather",
]
