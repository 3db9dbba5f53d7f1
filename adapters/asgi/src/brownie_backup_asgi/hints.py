"""Hints that only callers of the REST API need: about their requests."""

from brownie_backup.hints import HintCode


class ApiHint(HintCode):
    """What to do about a request."""

    ASK_ANOTHER = "ask_another", "Ask another replica, or try again in a moment"
    KEY_RULE = "key_rule", "Send 1 to 255 printable ASCII characters without spaces"
    NEW_KEY = "new_key", "Use a new key for a new request"
    NOTHING_VISIBLE = (
        "nothing_visible",
        "No part of a backup is visible before its end. Send the request again",
    )
    ANOTHER_TOKEN = (
        "another_token",
        "Use another token, or grant this one the scope in {setting:api_tokens}",
    )
    REPORT_DEFECT = "report_defect", "Please report it, with the lines of the log"
    REQUEST_AGAIN = "request_again", "Send the request again"
    SEE_OPERATION = "see_operation", "See the operation"
    SEE_PATHS = "see_paths", "See GET /openapi.json for all paths"
    SEE_SCHEMA = "see_schema", "See GET /openapi.json for the fields and their values"
    SEND_AS_JSON = "send_as_json", "Send it with 'Content-Type: application/json'"
    SEND_HEADER = (
        "send_header",
        "Send the header 'Authorization: Bearer …' with a token of this service",
    )
    SEND_JSON = "send_json", "Send JSON"
    SEND_LESS = "send_less", "Send less"
    SEND_ONCE = "send_once", "Send it once"
    TOKEN_IN_HEADER = (
        "token_in_header",
        "Send the header 'Authorization: Bearer …', and create a new token: URLs are logged",
    )
    WAIT_OR_CANCEL = (
        "wait_or_cancel",
        "Try again when one of them has ended, or cancel one",
    )
