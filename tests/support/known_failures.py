"""Every known failure and its classification. `python -m tests.support.known_failures` writes them as a table.

`test_classify.py` compares each of them, and the table, with what the package says; `test_classify_server.py` provokes
on a server, and `test_classify_local.py` on a local socket, all that can be provoked. Each failure in `FAILURES` has a
text that a server, a recording or a library confirms; those in `CLASSES` are decided by the exception's class alone.
"""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from invoke_widgets.client.transport import map_exception
from invoke_widgets.errors import JobErrorType, classify, failures
from tests.support import graphs

DATA = Path(__file__).parents[1] / "data"
TABLE = Path(__file__).parents[2] / "notebooks" / "known_failures.md"

_T = JobErrorType
EXECUTION, VALIDATION, RESOURCE = _T.EXECUTION_FAILED, _T.VALIDATION_ERROR, _T.RESOURCE_ERROR
NETWORK, TIMEOUT, UNKNOWN = _T.NETWORK_ERROR, _T.TIMEOUT_ERROR, _T.UNKNOWN_ERROR

NODES = "a node"  # a graph of built-in nodes makes the server raise it
MESSAGE = "its message"  # its text decides, so any node that fails with this text will do
SOURCE = "replayed"  # it needs a GPU, a model or a provider

SERVER, PROBE = "real server", "real server, by message"
RECORDING, LOCAL, REPLAYED = "recording", "local socket", "its text alone"


class Failure(NamedTuple):
    """A failed job: the exception's class and text on the server, and the classification that is expected."""

    what: str
    server_error_type: str | None
    message: str | None
    error_type: JobErrorType
    retryable: bool = False
    how: str = SOURCE
    graph: graphs.Graph | None = None


_SCALE = {"type": "img_scale", "scale_factor": 2.0}
_MODEL = {"key": "nope", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}

FAILURES: tuple[Failure, ...] = (
    Failure("division by zero", "ZeroDivisionError", "division by zero", EXECUTION, how=NODES,
            graph=graphs.divide(1, 0)),
    Failure("an image that is not there", "ImageRecordNotFoundException", "Image record not found", VALIDATION,
            how=NODES, graph=graphs.missing_image()),
    Failure("an input that is not there", "MissingInputException",
            "Node img_resize missing value or connection for field image", VALIDATION, how=NODES,
            graph=graphs.missing_input()),
    Failure("a model that is not there", "Exception", "Unknown model nope", VALIDATION, how=NODES,
            graph=graphs.graph({"m": {"type": "model_identifier", "model": _MODEL}})),
    Failure("a LoRA that is not there", "Exception", "Unknown lora: nope!", VALIDATION, how=MESSAGE),
    Failure("a VAE that is not there", "Exception", "Unknown vae: nope!", VALIDATION, how=MESSAGE),
    Failure("a LoRA twice", "Exception", 'LoRA "k" already applied to unet', VALIDATION, how=MESSAGE),
    Failure("a LoRA of another family", "ValueError", "LoRA 'k' is for sdxl models, not FLUX models.", VALIDATION),
    Failure("a size that does not fit", "ValueError", "noise width and height must be a multiple of 8", VALIDATION),
    Failure("a wrong VAE wired", "TypeError", "Expected AutoencoderKLWan for Wan VAE, got AutoencoderKL.", VALIDATION),
    Failure("a video without frames", "ValueError", "Video v has no decodable frames (probed 0).", VALIDATION),
    Failure("a path outside the outputs", "ValueError", "output_directory must stay within the outputs folder: '..'",
            VALIDATION),
    Failure("a saved workflow that is gone", "ValueError", "The selected saved workflow 'w' could not be found.",
            VALIDATION),
    Failure("an image of someone else", "PermissionError", "Queue user is not authorized to access this image",
            VALIDATION, how=MESSAGE),
    Failure("a board of someone else", "PermissionError", "Queue user is not authorized to save images to this board",
            VALIDATION, how=MESSAGE),
    Failure("an image that breaks off", "OSError", "image file is truncated (12 bytes not processed)", VALIDATION,
            how=MESSAGE),
    Failure("weights of another shape", "RuntimeError", "mat1 and mat2 shapes cannot be multiplied (77x768 and "
            "1024x320)", VALIDATION, how=MESSAGE),
    Failure("weights of another model", "RuntimeError", "Error(s) in loading state_dict for UNet2DConditionModel",
            VALIDATION, how=MESSAGE),
    Failure("a provider that lacks an image", "ExternalProviderRequestError", "OpenAI image edits require at least one "
            "image (init image or reference image)", VALIDATION, how=MESSAGE),
    Failure("a provider's model that is unknown", "ExternalProviderRequestError", "Unknown DashScope model_id 'm'. Add "
            "it to _SYNC_MODELS or _ASYNC_MODELS in alibabacloud.py.", VALIDATION, how=MESSAGE),
    Failure("a provider's key that is wrong", "ExternalProviderRequestError", "OpenAI request failed with status 401: "
            '{"error": {"message": "Incorrect API key provided"}}', VALIDATION, how=MESSAGE),
    Failure("a provider's key that may not do this", "ExternalProviderRequestError", "Gemini request failed with "
            "status 403 for model 'm': {}", VALIDATION, how=MESSAGE),
    Failure("a prompt that a provider declines", "ExternalProviderRequestError", "OpenAI request failed with status "
            '400: {"error": {"code": "content_policy_violation"}}', VALIDATION, how=MESSAGE),
    Failure("an image that a provider withholds", "ExternalProviderRequestError", "Gemini response contained no "
            "images. Finish reason: SAFETY", VALIDATION, how=MESSAGE),
    Failure("CUDA out of memory", "RuntimeError", "CUDA out of memory. Tried to allocate 2.00 GiB", RESOURCE,
            how=MESSAGE),
    Failure("CUDA error: out of memory", "AcceleratorError", "CUDA error: out of memory", RESOURCE),
    Failure("HIP out of memory", "RuntimeError", "HIP out of memory. Tried to allocate 512.00 MiB", RESOURCE,
            how=MESSAGE),
    Failure("ROCm out of memory", "RuntimeError", "ROCm: out of memory", RESOURCE, how=MESSAGE),
    Failure("MPS out of memory", "RuntimeError", "MPS backend out of memory (MPS allocated: 8.00 GB, max allowed: 9 "
            "GB)", RESOURCE, how=MESSAGE),
    Failure("MPS buffer too large", "RuntimeError", "Invalid buffer size: 14.06 GB", RESOURCE, how=MESSAGE),
    Failure("cuBLAS out of memory", "RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling "
            "`cublasCreate(handle)`", RESOURCE, how=MESSAGE),
    Failure("host out of memory (torch)", "RuntimeError", "[enforce fail at alloc_cpu.cpp:117] err == 0. "
            "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.", RESOURCE, how=MESSAGE),
    Failure("host out of memory (system)", "OSError", "[Errno 12] Cannot allocate memory", RESOURCE, how=MESSAGE),
    Failure("paging file too small (Windows)", "OSError", "The paging file is too small for this operation to "
            "complete. (os error 1455)", RESOURCE, how=MESSAGE),
    Failure("disk full", "OSError", "[Errno 28] No space left on device: 'outputs/images/a.png'", RESOURCE,
            how=MESSAGE),
    Failure("disk full (database)", "OperationalError", "database or disk is full", RESOURCE, how=MESSAGE),
    Failure("disk full (safetensors)", "SafetensorError", "Error while serializing: I/O error: No space left on device "
            "(os error 28)", RESOURCE, how=MESSAGE),
    Failure("host out of memory (safetensors)", "SafetensorError", "I/O error: Cannot allocate memory (os error 12)",
            RESOURCE, how=MESSAGE),
    Failure("disk quota", "OSError", "[Errno 122] Disk quota exceeded", RESOURCE, how=MESSAGE),
    Failure("database locked", "OperationalError", "database is locked", RESOURCE, True, MESSAGE),
    Failure("too many open files", "OSError", "[Errno 24] Too many open files", RESOURCE, True, MESSAGE),
    Failure("a provider that asks to slow down", "ExternalProviderRequestError", "Seedream request failed with status "
            "429: slow down", RESOURCE, True, MESSAGE),
    Failure("a failing provider", "ExternalProviderRequestError", "OpenAI request failed with status 500: {}",
            NETWORK, True, MESSAGE),
    Failure("a provider's odd answer", "ExternalProviderRequestError", "OpenAI response payload was not a JSON object",
            NETWORK, True),
    Failure("a provider not reached", "ExternalProviderRequestError", "poll network error: x", NETWORK, True, MESSAGE),
    Failure("a host that refuses", "ConnectionError", "[Errno 111] Connection refused", NETWORK, True, MESSAGE),
    Failure("a host that hangs up", "ConnectionResetError", "[Errno 104] Connection reset by peer", NETWORK, True,
            MESSAGE),
    Failure("a host without a name", "ConnectionError", "Temporary failure in name resolution", NETWORK, True, MESSAGE),
    Failure("an unreachable host", "MaxRetryError", "Max retries exceeded with url: /m", NETWORK, True,
            MESSAGE),
    Failure("a certificate that is not trusted", "SSLError", "HTTPSConnectionPool(host='h', port=443): Max retries "
            "exceeded with url: /m (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] "
            "certificate verify failed: unable to get local issuer certificate')))", NETWORK, how=MESSAGE),
    Failure("a download that is not there", "HTTPError", "404 Client Error: Not Found for url: https://h/m", NETWORK,
            how=MESSAGE),
    Failure("offline, and a file is missing", "OSError", "offline mode is enabled, cannot reach the hub", NETWORK,
            how=MESSAGE),
    Failure("offline, and the cache lacks a file", "LocalEntryNotFoundError", "Cannot find the requested files in the "
            "disk cache and outgoing traffic has been disabled.", NETWORK, how=MESSAGE),
    Failure("a file that is neither cached nor reached", "LocalEntryNotFoundError", "An error happened while trying to "
            "locate the file on the Hub and we cannot find the requested files in the local cache. Please check your "
            "connection and try again or make sure your Internet connection is on.", NETWORK, True),
    Failure("a diffusers model whose files are gone", "OSError", "We couldn't connect to 'https://huggingface.co' to "
            "load this model, couldn't find it in the cached files and it looks like /models/sd-1/main/x is not the "
            "path to a directory containing a config.json file.", VALIDATION),
    Failure("a tokenizer whose files are gone", "OSError", "Can't load tokenizer for '/models/x/tokenizer'. If you "
            "were trying to load it from 'https://huggingface.co/models', make sure you don't have a local directory "
            "with the same name. Otherwise, make sure '/models/x/tokenizer' is the correct path to a directory "
            "containing all relevant files for a CLIPTokenizer tokenizer.", VALIDATION),
    Failure("a model's folder that is gone", "HFValidationError", "Repo id must be in the form 'repo_name' or "
            "'namespace/repo_name': '/models/sd-1/main/x'. Use `repo_type` argument if needed.", VALIDATION),
    Failure("a model's folder without its weights", "OSError", "Error no file named diffusion_pytorch_model.bin found "
            "in directory /models/sd-1/main/x/unet.", VALIDATION),
    Failure("a read that takes too long", "ReadTimeout", "Read timed out. (read timeout=10)", TIMEOUT, True, MESSAGE),
    Failure("a wait that takes too long", "TimeoutError", "", TIMEOUT, True),
    Failure("a provider's task that takes too long", "ExternalProviderRequestError", "task 1 timed out after 300s",
            TIMEOUT, True, MESSAGE),
    Failure("a text model that stalls", "RuntimeError", "Text generation stalled (no output for 60s)", TIMEOUT, True,
            MESSAGE),
    Failure("a model dropped from the cache", "IndexError", "The model with key k is not in the cache.", EXECUTION,
            True, MESSAGE),
    Failure("a failing GPU", "RuntimeError", "CUDA error: an illegal memory access was encountered", EXECUTION, True,
            MESSAGE),
    Failure("a GPU that torch does not know", "RuntimeError", "CUDA error: no kernel image is available for execution "
            "on the device", EXECUTION, how=MESSAGE),
    Failure("a torch without CUDA", "AssertionError", "Torch not compiled with CUDA enabled", EXECUTION, how=MESSAGE),
    Failure("a GPU without its driver", "RuntimeError", "Found no NVIDIA driver on your system.", EXECUTION,
            how=MESSAGE),
    Failure("an incomplete checkpoint", "RuntimeError", "3 parameter(s) remain on the meta device after loading",
            EXECUTION, how=MESSAGE),
    Failure("a model with malware", "RuntimeError", "The model m is potentially infected by malware. Aborting.",
            EXECUTION, how=MESSAGE),
    Failure("a file that was moved", "FileNotFoundError", "[Errno 2] No such file or directory: 'm'", EXECUTION),
    Failure("a file that may not be read", "PermissionError", "[Errno 13] Permission denied: 'm'", EXECUTION),
    Failure("a combination that is not supported", "NotImplementedError", "solver order 3", EXECUTION),
    Failure("tensors on two devices", "RuntimeError", "Expected all tensors to be on the same device", EXECUTION,
            how=MESSAGE),
    Failure("a path that is nothing", "TypeError", "expected str, bytes or os.PathLike object, not NoneType",
            EXECUTION),
    Failure("a text that is nothing", "TypeError", "expected string or bytes-like object, got 'NoneType'", EXECUTION),
    Failure("a failed assertion", "AssertionError", "", EXECUTION),
    Failure("anything else from a node", "RuntimeError", "it just did not work", EXECUTION, how=MESSAGE),
    Failure("a failure without any reason", None, None, UNKNOWN),
)  # fmt: skip


CLASSES: tuple[tuple[JobErrorType, bool, str, str], ...] = (
    (RESOURCE, False, "The GPU ran out of memory", "OutOfMemoryError"),
    (RESOURCE, False, "The server ran out of memory", "MemoryError _ArrayMemoryError"),
    (RESOURCE, False, "The image has more pixels than the server takes",
     "DecompressionBombError DecompressionBombWarning"),
    (RESOURCE, True, "The queue is full", "TooManySessionsError"),
    (RESOURCE, False, "The server could not write a file",
     "ImageFileSaveException ImageRecordSaveException VideoFileSaveException VideoRecordSaveException "
     "BoardRecordSaveException"),
    (RESOURCE, True, "The provider limits how often it is asked", "ExternalProviderRateLimitError"),
    (VALIDATION, False, "Give the named field a value, or connect an edge to it",
     "MissingInputException RequiredConnectionException"),
    (VALIDATION, False, "The server has no such model", "UnknownModelException"),
    (VALIDATION, False, "The server has no such image or video",
     "ImageRecordNotFoundException ImageFileNotFoundException VideoRecordNotFoundException "
     "VideoFileNotFoundException"),
    (VALIDATION, False, "The server has no such board", "BoardRecordNotFoundException"),
    (VALIDATION, False, "What the node refers to is not there",
     "StylePresetNotFoundError SystemPromptNotFoundError SystemPromptNotAuthorizedError WorkflowNotFoundError "
     "ItemNotFoundError InvalidObjectNameError"),
    (VALIDATION, False, "The server has no such item", "SessionQueueItemNotFoundError"),
    (VALIDATION, False, "Correct the graph at the place named, and submit it again",
     "NodeNotFoundError NodeFieldNotFoundError NodeAlreadyInGraphError NodeIdMismatchError NodeInputError "
     "DuplicateNodeIdError InvalidEdgeError CyclicalGraphError UnknownGraphValidationError "
     "UnsupportedWorkflowNodeError InvalidWorkflowInputError ValidationError"),
    (VALIDATION, False, "Correct the batch's values as the message says, and submit it again",
     "BatchZippedLengthError BatchItemsTypeError BatchDuplicateNodeFieldError"),
    (VALIDATION, False, "Batch and generator nodes only work in the web UI", "NotExecutableNodeError"),
    (VALIDATION, False, "These models do not go together",
     "InvalidModelException InvalidModelConfigException NotAMatchError InvalidMatchError"),
    (VALIDATION, False, "A node refused a value",
     "InvalidOriginException InvalidImageCategoryException FloatingPointError OverflowError ValueError "
     "InvalidFieldError"),
    (VALIDATION, False, "The file is not an image that the server can read",
     "UnidentifiedImageError UnreadableImageError"),
    (VALIDATION, False, "The provider is not set up on the server",
     "ExternalProviderNotConfiguredError ExternalProviderNotFoundError"),
    (VALIDATION, False, "The provider's model cannot do this", "ExternalProviderCapabilityError"),
    (NETWORK, False, "The model's site wants a login", "GatedRepoError"),
    (NETWORK, False, "The model's site shows no such repository", "RepositoryNotFoundError"),
    (NETWORK, False, "What the server asked for is not at that address",
     "RevisionNotFoundError RemoteEntryNotFoundError EntryNotFoundError"),
    (NETWORK, False, "The server does not trust the certificate of what it asked", "SSLCertVerificationError"),
    (NETWORK, False, "The server is set to work offline and lacks a file", "OfflineModeIsEnabled"),
    (TIMEOUT, True, "Something on the server took too long",
     "VideoDecodeTimeoutError TimeoutError Timeout ReadTimeout ConnectTimeout TimeoutExpired"),
    (EXECUTION, True, "An intermediate result is gone, as after a restart of the server", "ObjectNotFoundError"),
    (EXECUTION, False, "Read the message and the traceback", "NodeAlreadyExecutedError"),
    (EXECUTION, False, "A node divided by zero", "ZeroDivisionError"),
    (EXECUTION, False, "A model's file is damaged or incomplete",
     "SafetensorError UnpicklingError BadZipFile EOFError"),
    (EXECUTION, False, "The server lacks a Python package", "ModuleNotFoundError ImportError"),
    (EXECUTION, True, "It was canceled", "CanceledException"),
    (EXECUTION, True, "The GPU or its driver failed", "AcceleratorError"),
    (EXECUTION, False, "The server cannot do this combination", "NotImplementedError"),
    (EXECUTION, False, "A file that the server needs is not where it should be",
     "FileNotFoundError NotADirectoryError IsADirectoryError"),
    (EXECUTION, False, "The server may not read or write a file", "PermissionError"),
    (NETWORK, True, "The server could not reach something that it needs",
     "LocalEntryNotFoundError ConnectionError ConnectError ConnectionRefusedError ConnectionResetError "
     "ConnectionAbortedError BrokenPipeError SSLError ProxyError HTTPError HfHubHTTPError gaierror"),
    (NETWORK, True, "The provider did not do what it was asked",
     "ExternalProviderRequestError ExternalGenerationError"),
)  # fmt: skip
"""Exceptions that their class decides: class of error, whether to retry, the suggestion's beginning, their names."""


class Reply(NamedTuple):
    """A recorded answer and its expected classification. `provoke`: how to get it from a server again, or None."""

    what: str
    request: str
    status: int
    content_type: str
    body: str
    versions: tuple[str, ...]
    expected: dict[str, Any]
    provoke: dict[str, Any] | None = None


def replies() -> list[Reply]:
    """Every answer in the recordings of 6.14.2 and 6.13.8 that is not a success; equal ones once."""
    return [Reply(**entry) for entry in json.loads((DATA / "replies.json").read_text())]


_PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body></body></html>"

MADE_UP: tuple[tuple[str, int, str, str, JobErrorType, bool], ...] = (
    ("a proxy without its server (502)", 502, "text/html", _PAGE, NETWORK, True),
    ("a server that is starting (503)", 503, "text/html", _PAGE, NETWORK, True),
    ("a proxy that gave up waiting (504)", 504, "text/html", _PAGE, NETWORK, True),
    ("a gateway that speaks JSON (503)", 503, "application/json", '{"detail":"upstream"}', NETWORK, True),
    ("a proxy's login page", 200, "text/html", _PAGE, NETWORK, False),
    ("a proxy that wants a login (407)", 407, "text/html", _PAGE, NETWORK, False),
    ("a request that is too large (413)", 413, "text/html", _PAGE, RESOURCE, False),
    ("too many requests (429)", 429, "application/json", '{"detail":"slow down"}', NETWORK, True),
    ("a request that took too long (408)", 408, "text/plain", "", TIMEOUT, True),
    ("no space left on the server (507)", 507, "text/plain", "", RESOURCE, False),
    ("a full disk on the server", 500, "application/json", '{"detail":"x: database or disk is full"}', RESOURCE, False),
    ("plain text instead of JSON", 200, "text/plain", "hello", NETWORK, False),
    ("an empty answer", 200, "", "", NETWORK, False),
)
"""Answers that no recording has: what, status, content type, body, class, whether to retry."""

_REQUEST = httpx.Request("GET", "http://127.0.0.1:9090/api/v1/app/version")

TRANSPORT: tuple[tuple[str, Exception, JobErrorType, bool, str], ...] = (
    ("nothing listens", httpx.ConnectError("All connection attempts failed"), NETWORK, True, LOCAL),
    ("no such host", httpx.ConnectError("[Errno -2] Name or service not known"), NETWORK, True, LOCAL),
    ("no name service", httpx.ConnectError("[Errno -3] Temporary failure in name resolution"), NETWORK, True,
     REPLAYED),
    ("a self-signed certificate", httpx.ConnectError("certificate verify failed: self-signed"), NETWORK, False,
     LOCAL),
    ("a certificate of another host", httpx.ConnectError("certificate verify failed: IP address mismatch"), NETWORK,
     False, LOCAL),
    ("a certificate that has expired", httpx.ConnectError("certificate verify failed: certificate has expired"),
     NETWORK, False, LOCAL),
    ("http where https is asked for", httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), NETWORK,
     True, LOCAL),
    ("a host that does not answer", httpx.ConnectTimeout("timed out"), NETWORK, True, LOCAL),
    ("a server that does not answer", httpx.ReadTimeout("timed out"), TIMEOUT, True, LOCAL),
    ("a connection that breaks", httpx.ReadError("[Errno 104] Connection reset by peer"), NETWORK, True, LOCAL),
    ("a connection that the server closed", httpx.RemoteProtocolError("Server disconnected"), NETWORK, True, LOCAL),
    ("an answer that cannot be unpacked", httpx.DecodingError("incorrect header check"), NETWORK, True, LOCAL),
    ("a proxy that refuses", httpx.ProxyError("403 Forbidden"), NETWORK, False, LOCAL),
    ("an address of another kind", httpx.UnsupportedProtocol("ftp"), VALIDATION, False, REPLAYED),
    ("too many redirects", httpx.TooManyRedirects("20", request=_REQUEST), UNKNOWN, False, REPLAYED),
    ("an error of the system", ssl.SSLError("odd"), UNKNOWN, False, REPLAYED),
)  # fmt: skip
"""What httpx raises: what, exception, class, whether to retry, how it is provoked."""


class Row(NamedTuple):
    what: str
    seen_as: str
    error_type: str
    retryable: bool
    suggestion: str
    how: str


def rows() -> Iterator[tuple[str, Row]]:
    """Yield the table's rows with their sections, as the package classifies them now."""
    for failure in FAILURES:
        found = failures.diagnose_failure(failure.server_error_type, failure.message)
        seen = f"{failure.server_error_type or 'no class'}: {failure.message or ''}".rstrip(": ")
        how = {NODES: SERVER, MESSAGE: PROBE, SOURCE: REPLAYED}[failure.how]
        yield "Jobs", Row(failure.what, seen, found.error_type, found.retryable, found.suggestion, how)
    for _, _, _, names in CLASSES:
        first, *_ = names.split()
        found = failures.diagnose_failure(first, "any text")
        yield "Jobs, by the class alone", Row("any text", names.replace(" ", ", "), found.error_type, found.retryable,
                                              found.suggestion, REPLAYED)  # fmt: skip
    for reply in replies():
        error = classify.exception_for_reply(reply.status, reply.content_type, reply.body.encode(), reply.request)
        provoked = reply.provoke is not None and "6.14.2" in reply.versions
        yield "Answers", Row(reply.what, f"HTTP {reply.status}: {error.message}", error.error_type, error.retryable,
                             error.suggestion, SERVER if provoked else RECORDING)  # fmt: skip
    full = classify.full_queue(3, 5)
    assert full is not None
    yield "Answers", Row("a full queue", f"HTTP 200: {full.message}", full.error_type, full.retryable, full.suggestion,
                         SERVER)  # fmt: skip
    for what, status, content_type, body, _, _ in MADE_UP:
        error = classify.exception_for_reply(status, content_type, body.encode(), "GET /api/v1/app/version")
        yield "Answers", Row(what, f"HTTP {status}", error.error_type, error.retryable, error.suggestion, LOCAL)
    for what, raised, _, _, how in TRANSPORT:
        error = map_exception(raised, "GET /api/v1/app/version", "http://127.0.0.1:9090")
        yield "Connections", Row(what, type(raised).__name__, error.error_type, error.retryable, error.suggestion, how)
    for outcome, how in (("refused", SERVER), ("not_found", SERVER), ("unknown", LOCAL)):
        found = classify.CANCELLATIONS[outcome]
        yield "Cancels", Row(f"a cancel that is {outcome}", f"outcome {outcome}", found.error_type, found.retryable,
                             found.suggestion, how)  # fmt: skip


_HEAD = f"""# Known failures

What can go wrong, its class, whether doing the same again may help, and what to do instead. This table is generated, and
a test fails when it differs from what the package says. {{counts}}

- **{SERVER}**: the tests provoke it on InvokeAI 6.14.2 (and on the embedded server), and check its classification;
- **{PROBE}**: the same, with a node that fails with this message, since the true cause needs a GPU, a model or a full disk;
- **{RECORDING}**: an answer recorded from InvokeAI 6.14.2 or 6.13.8 is replayed;
- **{LOCAL}**: a socket on the same machine answers, breaks off, keeps silent, refuses a connection or shows a certificate
  of its own; for a missing host, the name service is asked for a name that nobody can have;
- **{REPLAYED}**: the exception's class and text, as InvokeAI's or a library's source has them, are classified.
"""  # noqa: E501 - as the reader's screen breaks it
_COLUMNS = ("| what | seen as | class | retry | suggestion | provoked |", "| --- | --- | --- | --- | --- | --- |")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def table() -> str:
    """Return the table as Markdown."""
    found = list(rows())
    counts = Counter(row.how for _, row in found)
    numbers = "; ".join(f"{how}: {counts[how]}" for how in (SERVER, PROBE, RECORDING, LOCAL, REPLAYED))
    lines = [_HEAD.format(counts=f"There are {len(found)} ({numbers}).")]
    for section in dict.fromkeys(section for section, _ in found):
        lines += [f"## {section}", "", *_COLUMNS]
        for row in (row for in_section, row in found if in_section == section):
            retry = "yes" if row.retryable else "no"
            cells = (row.what, row.seen_as, f"`{row.error_type}`", retry, row.suggestion, row.how)
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    TABLE.write_text(table())
