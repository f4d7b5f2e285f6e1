"""Diagnoses of failed jobs: tables, and one pure function over them.

For a failed job the server sends the exception's class without its module, its text and its traceback. Sources of the
tables: the exceptions of InvokeAI's own nodes (6.13.8 and 6.14.2) and of the libraries below them (torch, diffusers,
safetensors, huggingface_hub, requests, Pillow, the operating system).

The tables are tried in this order, which is also theirs below; the first match decides:

1. `OUT_OF_MEMORY` and `DISK_FULL_TEXTS`: texts about memory or disk, with any class, since libraries wrap the system's
   errors in their own;
2. `BY_CLASS`: exceptions whose class is enough;
3. `BY_TEXT`: other texts, row by row;
4. `BY_BROAD_CLASS`: exceptions whose class is a hint;
5. `_BLAMES_INPUT`: words with which nodes refuse their inputs.

Substrings rather than regular expressions: they are easy to read, and 150 of them cost a few microseconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from invoke_widgets.errors import JobErrorType


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A class of error, what to do about it, and whether doing the same again may succeed."""

    error_type: JobErrorType
    suggestion: str
    retryable: bool = False


# fmt: off
_resource, _validation, _network, _execution = (
    partial(Diagnosis, JobErrorType(kind))
    for kind in ("resource_error", "validation_error", "network_error", "execution_failed")
)

GPU_MEMORY = _resource("The GPU ran out of memory: use a smaller image, batch or model, or free the server's model "
                       "cache.")
HOST_MEMORY = _resource("The server ran out of memory: use a smaller image or model, or close other programs there.")
DISK_FULL = _resource("The server's disk is full: free some space there, then retry.")
QUEUE_FULL = _resource("The queue is full: wait until items have run, or cancel some, then submit the rest.", True)
_FILES = _resource("The server has too many files open: restart it, then retry.", True)
_LOCKED = _resource("The server's database was busy: retry.", True)
_NOT_SAVED = _resource("The server could not write a file: check whether its disk is full and its folder is writable.")
_HUGE_IMAGE = _resource("The image has more pixels than the server takes: make it smaller.")
_QUOTA = _resource("The provider limits how often it is asked: wait a while, then retry.", True)

_NO_INPUT = _validation("Give the named field a value, or connect an edge to it.")
_NO_MODEL = _validation("The server has no such model: install it, or choose one that the server has.")
_NO_MODEL_FILES = _validation("The model's files are gone from the server's disk: put them back or reinstall it, or "
                              "choose another model.")
_NO_IMAGE = _validation("The server has no such image or video: it was deleted, or its name is wrong.")
_NO_BOARD = _validation("The server has no such board: it was deleted, or its id is wrong.")
_NO_RECORD = _validation("What the node refers to is not there: it was deleted, or its id is wrong, or it is not "
                         "yours.")
_NOT_YOURS = _validation("You may not use this image, video or board: choose one of your own, or ask its owner or an "
                         "administrator.")
_NO_SUCH_JOB = _validation("The server has no such item: it was deleted, or its id is wrong.")
_BAD_GRAPH = _validation("Correct the graph at the place named, and submit it again.")
_BAD_BATCH = _validation("Correct the batch's values as the message says, and submit it again.")
_BATCH_NODE = _validation("Batch and generator nodes only work in the web UI: give their values as data=... instead.")
_BAD_VALUE = _validation("A node refused a value: change the value or the connection that the message names.")
_BAD_MODEL = _validation("These models do not go together: choose a model, VAE, LoRA or control of one family.")
_BAD_IMAGE = _validation("The file is not an image that the server can read: choose another one.")
_NO_KEY = _validation("The provider is not set up on the server: set its API key there, or choose a local model.")
_BAD_KEY = _validation("The provider rejects the server's API key: set a valid one there that is allowed to do this.")
_DECLINED = _validation("The provider declines this: read its answer, and change the prompt, the image or the setting "
                        "that it names.")
_NOT_OFFERED = _validation("The provider's model cannot do this: change what the message names.")

_NO_NETWORK = _network("The server could not reach something that it needs: check its network, then retry.", True)
_PROVIDER = _network("The provider did not do what it was asked: read its answer, then retry.", True)
_NOT_TRUSTED = _network("The server does not trust the certificate of what it asked: correct its clock, proxy or "
                        "certificates.")
_GATED = _network("The model's site wants a login: accept its license there, and give the server a token for it.")
_NO_REPOSITORY = _network("The model's site shows no such repository: check its name. If it is right, accept its "
                          "license there, and give the server a token for it.")
_NOT_ONLINE = _network("What the server asked for is not at that address: check the name, the revision or the link.")
_OFFLINE = _network("The server is set to work offline and lacks a file: install it while online, or go online.")
_SLOW = Diagnosis(JobErrorType.TIMEOUT_ERROR, "Something on the server took too long: retry, or allow more time.", True)

_ZERO = _execution("A node divided by zero: change the values that lead to it.")
_TENSOR_GONE = _execution("An intermediate result is gone, as after a restart of the server: retry.", True)
_GPU_ILL = _execution("The GPU or its driver failed: restart the server, and update the driver if it recurs.", True)
_WRONG_TORCH = _execution("The server's torch does not fit its GPU or driver: install a build of torch, or a driver, "
                          "that does.")
_BAD_FILE = _execution("A model's file is damaged or incomplete: delete the model and reinstall it.")
_MALWARE = _execution("The server's scan rejects the model's file: get it from a source you trust.")
_NO_FILE = _execution("A file that the server needs is not where it should be: check whether a model was moved.")
_NO_RIGHT = _execution("The server may not read or write a file: correct its permissions there.")
_NO_PACKAGE = _execution("The server lacks a Python package: install it there, or disable the node that needs it.")
_NOT_MADE = _execution("The server cannot do this combination: choose another model, scheduler or setting.")
_DTYPES = _execution("Parts of the model are on different devices or of different precision: restart the server.")
_CANCELED = _execution("It was canceled: retry it if that was not meant.", True)
EXECUTION_FAILED = _execution("Read the message and the traceback; a retry does the same with the same values.")
UNKNOWN = Diagnosis(JobErrorType.UNKNOWN_ERROR, "The cause is not known: look at the server's log.")
# fmt: on

_ON_GPU = ("cuda", "hip", "rocm", "mps", "xpu", "gpu", "vram", "cublas", "cudnn", "metal")
OUT_OF_MEMORY = (
    "out of memory", "cublas_status_alloc_failed", "cudnn_status_alloc_failed", "std::bad_alloc",
    "cannot allocate memory", "can't allocate memory", "not enough memory", "unable to allocate",
    "paging file is too small", "invalid buffer size", "not enough vram", "insufficient vram", "insufficient memory",
)  # fmt: skip
DISK_FULL_TEXTS = (
    "no space left on device", "[errno 28]", "not enough space on the disk", "disk is full", "disk full",
    "disk quota exceeded", "[errno 122]", "winerror 112",
)  # fmt: skip


def _by_class(*rows: tuple[Diagnosis, str]) -> dict[str, Diagnosis]:
    return {name: diagnosis for diagnosis, names in rows for name in names.split()}


BY_CLASS = _by_class(
    (GPU_MEMORY, "OutOfMemoryError"),
    (HOST_MEMORY, "MemoryError _ArrayMemoryError"),
    (_HUGE_IMAGE, "DecompressionBombError DecompressionBombWarning"),
    (QUEUE_FULL, "TooManySessionsError"),
    (_NOT_SAVED, "ImageFileSaveException ImageRecordSaveException VideoFileSaveException VideoRecordSaveException "
     "BoardRecordSaveException"),
    (_QUOTA, "ExternalProviderRateLimitError"),
    (_NO_INPUT, "MissingInputException RequiredConnectionException"),
    (_NO_MODEL, "UnknownModelException"),
    (_NO_IMAGE, "ImageRecordNotFoundException ImageFileNotFoundException VideoRecordNotFoundException "
     "VideoFileNotFoundException"),
    (_NO_BOARD, "BoardRecordNotFoundException"),
    (_NO_RECORD, "StylePresetNotFoundError SystemPromptNotFoundError SystemPromptNotAuthorizedError "
     "WorkflowNotFoundError ItemNotFoundError InvalidObjectNameError"),
    (_NO_SUCH_JOB, "SessionQueueItemNotFoundError"),
    (_BAD_GRAPH, "NodeNotFoundError NodeFieldNotFoundError NodeAlreadyInGraphError NodeIdMismatchError NodeInputError "
     "DuplicateNodeIdError InvalidEdgeError CyclicalGraphError UnknownGraphValidationError "
     "UnsupportedWorkflowNodeError InvalidWorkflowInputError ValidationError"),
    (_BAD_BATCH, "BatchZippedLengthError BatchItemsTypeError BatchDuplicateNodeFieldError"),
    (_BATCH_NODE, "NotExecutableNodeError"),
    (_BAD_MODEL, "InvalidModelException InvalidModelConfigException NotAMatchError InvalidMatchError"),
    (_BAD_VALUE, "InvalidOriginException InvalidImageCategoryException FloatingPointError OverflowError"),
    (_BAD_IMAGE, "UnidentifiedImageError UnreadableImageError"),
    (_NO_KEY, "ExternalProviderNotConfiguredError ExternalProviderNotFoundError"),
    (_NOT_OFFERED, "ExternalProviderCapabilityError"),
    (_GATED, "GatedRepoError"),
    (_NO_REPOSITORY, "RepositoryNotFoundError"),
    (_NOT_ONLINE, "RevisionNotFoundError RemoteEntryNotFoundError EntryNotFoundError"),
    (_NOT_TRUSTED, "SSLCertVerificationError"),
    (_OFFLINE, "OfflineModeIsEnabled"),
    (_SLOW, "VideoDecodeTimeoutError"),
    (_TENSOR_GONE, "ObjectNotFoundError"),
    (EXECUTION_FAILED, "NodeAlreadyExecutedError"),
    (_ZERO, "ZeroDivisionError"),
    (_BAD_FILE, "SafetensorError UnpicklingError BadZipFile EOFError"),
    (_NO_PACKAGE, "ModuleNotFoundError ImportError"),
    (_CANCELED, "CanceledException"),
)  # fmt: skip

BY_TEXT: tuple[tuple[tuple[str, ...], Diagnosis], ...] = (
    # First, since a provider's answer is quoted after it. A refused request will be refused again.
    (("request failed with status 401", "request failed with status 403"), _BAD_KEY),
    (("request failed with status 408",), _SLOW),
    (("request failed with status 429",), _QUOTA),
    (("request failed with status 4", "contained no images", "returned no images"), _DECLINED),
    (("request failed with status 5",), _PROVIDER),
    (("require at least one image", "unknown dashscope model_id"), _NOT_OFFERED),
    (("error(s) in loading state_dict", "size mismatch for"), _BAD_MODEL),
    (("user is not authorized to",), _NOT_YOURS),
    (("database is locked", "database table is locked"), _LOCKED),
    (("too many open files", "[errno 24]"), _FILES),
    (("no kernel image is available", "driver version is insufficient", "no nvidia driver",
      "torch not compiled with cuda"), _WRONG_TORCH),
    (("device-side assert", "illegal memory access", "unspecified launch failure", "cuda driver error", "cuda error",
      "hip error"), _GPU_ILL),
    # InvokeAI loads models from its disk. Where one is not there, the libraries take its path for a repository's name.
    (("is not the path to a directory", "is the correct path to a directory", "couldn't connect to 'https://huggingface.co",
      "repo id must be in the form", "error no file named"), _NO_MODEL_FILES),
    (("gated repo", "401 client error", "403 client error", "awaiting a review from the repo"), _GATED),
    (("offline mode is enabled", "hf_hub_offline", "local_files_only", "outgoing traffic has been disabled"), _OFFLINE),
    (("api key is not configured", "api key not configured"), _NO_KEY),
    (("rate limit", "429 client error", "too many requests"), _QUOTA),
    (("unknown model", "unknown lora", "unknown vae", "unknown gemma2", "unknown pid decoder", "model not found",
      "no model found", "model is not installed"), _NO_MODEL),
    (("image record not found", "image file not found", "video record not found"), _NO_IMAGE),
    (("board record not found",), _NO_BOARD),
    # Before the texts about connections: the next attempt meets the same certificate.
    (("certificate verify failed",), _NOT_TRUSTED),
    (("404 client error",), _NOT_ONLINE),
    (("timed out", "timeouterror", "read timeout", "stalled (no output"), _SLOW),
    (("connection refused", "connection reset", "connection aborted", "connection error", "max retries exceeded",
      "name resolution", "name or service not known", "getaddrinfo failed", "network is unreachable",
      "no route to host", "network error", "couldn't connect to", "remote end closed", "500 server error",
      "502 server error", "503 server error", "504 server error"), _NO_NETWORK),
    (("error while deserializing header", "invalid load key", "headertoolarge", "metadataincompletebuffer",
      "pytorchstreamreader failed", "is incomplete:", "unexpected end of data", "on the meta device", "left on meta",
      "meta tensor", "keys required by", "likely incomplete", "missing model parameters"), _BAD_FILE),
    (("infected by malware", "for malware"), _MALWARE),
    (("is not in the cache",), _TENSOR_GONE),
    (("mat1 and mat2 shapes", "must match the size of tensor", "shapes cannot be multiplied", "expected input[",
      "missing keys", "configuration type mismatch", "hidden_states", "hidden state", "hidden layer",
      "connected vae has", "tokenizer returned unexpected", "encoder requires autoencoder"), _BAD_MODEL),
    (("expected all tensors to be on the same device", "and weight type", "and bias type", "expected scalar type"),
     _DTYPES),
    (("cannot identify image file", "image file is truncated"), _BAD_IMAGE),
    (("not found in graph", "missing value or connection"), _BAD_GRAPH),
)  # fmt: skip

BY_BROAD_CLASS = _by_class(
    # A node that raises ValueError refuses an input: nearly all of the 480 places in InvokeAI do.
    (_BAD_VALUE, "ValueError InvalidFieldError"),
    (_GPU_ILL, "AcceleratorError"),
    (_NOT_MADE, "NotImplementedError"),
    (_NO_FILE, "FileNotFoundError NotADirectoryError IsADirectoryError"),
    (_NO_RIGHT, "PermissionError"),
    (_SLOW, "TimeoutError Timeout ReadTimeout ConnectTimeout TimeoutExpired"),
    (_NO_NETWORK, "LocalEntryNotFoundError ConnectionError ConnectError ConnectionRefusedError ConnectionResetError "
     "ConnectionAbortedError BrokenPipeError SSLError ProxyError HTTPError HfHubHTTPError gaierror"),
    (_PROVIDER, "ExternalProviderRequestError ExternalGenerationError"),
)  # fmt: skip

_BLAMES_INPUT = (
    "already applied", "not compatible", "incompatible", " must be ", "is required", "are required", "not supported",
    "unsupported", "expected autoencoder", "expected model", "expected pretrained", "connect a", "connect an",
    "error model. hidiffusion",
)  # fmt: skip
# How many characters of a message are searched. The cause comes first, or last in brackets; between them are addresses,
# or the hundreds of keys of a model.
_HEAD, _TAIL = 250, 150
_LAST_LINE = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?([A-Za-z_]\w*)(?:: (.*))?$")


def diagnose_failure(server_error_type: str | None, message: str | None, traceback: str | None = None) -> Diagnosis:
    """Classify a failed job by the server's error. Takes some microseconds.

    Args:
        server_error_type: the name of the exception on the server, such as "ZeroDivisionError".
        message: its text; the beginning and the end are searched.
        traceback: its traceback, used if both others are missing.
    """
    if not server_error_type and not message and traceback:
        found = _LAST_LINE.match(traceback.rstrip().rpartition("\n")[2])
        if found:
            server_error_type, message = found.groups()
    name = (server_error_type or "").rpartition(".")[2]
    message = message or ""
    if len(message) > _HEAD + _TAIL:
        message = f"{message[:_HEAD]}\n{message[-_TAIL:]}"
    text = message.lower()
    if not name and not text:
        return UNKNOWN
    for words in OUT_OF_MEMORY:
        if words in text:
            return GPU_MEMORY if any(word in text for word in _ON_GPU) else HOST_MEMORY
    for words in DISK_FULL_TEXTS:
        if words in text:
            return DISK_FULL
    known = BY_CLASS.get(name)
    if known is not None:
        return known
    for choices, diagnosis in BY_TEXT:
        for words in choices:
            if words in text:
                return diagnosis
    known = BY_BROAD_CLASS.get(name)
    if known is not None:
        return known
    # InvokeAI's own begin like this; Python's "expected str, bytes or os.PathLike object" is not about a model.
    if name == "TypeError" and message.startswith("Expected "):
        return _BAD_MODEL
    if any(words in text for words in _BLAMES_INPUT):
        return _BAD_MODEL if "lora" in text or "vae" in text or "autoencoder" in text else _BAD_VALUE
    return EXECUTION_FAILED
