"""The connection to a Ray cluster, and what its processes take over from this one."""

import logging
import os
import socket

from tfcil.errors import UserError

PATIENCE = 10.0  # seconds that the cluster has to answer
# Settings that change what is computed or shown. Ray logs them: other names may hold secrets.
INHERITED = {
    "CI",
    "NPROC",
    "PYTHONPATH",
    "TFDS_DATA_DIR",
    "TF_FORCE_GPU_ALLOW_GROWTH",
}
PREFIXES = (
    *("KERAS_", "JAX_", "XLA_", "OMP_", "OPENBLAS_", "MKL_"),
    *("TF_NUM_", "TF_ENABLE_", "TF_DETERMINISTIC_", "TF_CUDNN_", "TF_XLA_", "TF_GPU_", "TF_CPP_"),
)


def connect():
    """Connects to the Ray cluster of RAY_ADDRESS, and returns the module `ray`.

    Raises:
        UserError: where RAY_ADDRESS is not set, Ray is not installed, or no cluster answers.
    """
    address = os.environ.get("RAY_ADDRESS")
    if not address:
        raise UserError(
            "Expected RAY_ADDRESS to name a Ray cluster, such as one:6379 after `ray start --head "
            "--port=6379` on machine one. Received: none"
        )
    try:
        import ray
    except ImportError:
        raise UserError(
            f"Expected Ray: pip install 'tfcil[cluster]'. Received: RAY_ADDRESS={address} "
            "and no package ray"
        ) from None
    if not ray.is_initialized():
        try:
            # Ray itself would try for minutes.
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), PATIENCE).close()
            ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
            # Ray prints a paragraph about each process that dies, whatever its settings.
            ray._private.worker._worker_logs_enabled = False
        except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                "Expected a Ray cluster that answers there, and that this machine has joined by "
                f"`ray start` ({reason:.200}). Received: RAY_ADDRESS={address}"
            ) from None
    return ray


def environment(**more: str) -> dict:
    """Returns Ray's `runtime_env` with this process's settings and `more` variables."""
    own = {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED or name.startswith(PREFIXES)
    }
    return {"env_vars": own | more}
