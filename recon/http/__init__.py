"""How the service speaks HTTP: problems, request ids, keys, idempotent POSTs, pages of lists.

A handler reads, calls one verb and answers. It is marked with `operation`, which checks the
caller's scope, and from which the OpenAPI document is made.
"""

from recon.http.bodies import decode, json_response
from recon.http.files import send_file
from recon.http.idempotency import caller_key, receipt_of
from recon.http.intents import step_of
from recon.http.keys import Principal, Scope
from recon.http.operations import operation, principal_of
from recon.http.paging import Cursor, page_of, page_response
from recon.http.problems import Problem, problem_response
from recon.http.uploads import upload_of

__all__ = [
    "Cursor",
    "Principal",
    "Problem",
    "Scope",
    "caller_key",
    "decode",
    "json_response",
    "operation",
    "page_of",
    "page_response",
    "principal_of",
    "problem_response",
    "receipt_of",
    "send_file",
    "step_of",
    "upload_of",
]
