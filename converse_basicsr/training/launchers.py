"""What a launcher, torchrun or slurm, tells a process in its environment."""

import os
import socket
import subprocess
import time

from ..errors import UserError

RANK_0_SPEAKS = 10  # seconds within which rank 0 says that an option is missing
NEEDED = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NODELIST"),
}
CALL = {
    "pytorch": "torchrun --nproc_per_node=N -m converse_basicsr train -opt FILE --launcher pytorch",
    "slurm": "srun python -m converse_basicsr train -opt FILE --launcher slurm",
}


def refuse_torchrun() -> None:
    """Raise UserError, on rank 0, if torchrun has started a process without --launcher; the others end silently."""
    if "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":
        if os.environ.get("RANK") != "0":
            time.sleep(RANK_0_SPEAKS)  # torchrun ends all at the first exit
            raise SystemExit(2)
        raise UserError(f"started by torchrun without --launcher pytorch; the call is: {CALL['pytorch']}")


def check_environment(launcher: str) -> None:
    """Raise UserError if a variable of the launcher is missing."""
    missing = [name for name in NEEDED[launcher] if name not in os.environ]
    if missing:
        raise UserError(f"--launcher {launcher}: the environment has no {missing[0]}; start with: {CALL[launcher]}")


def check_address() -> None:
    """Raise UserError if MASTER_ADDR is not known: torch would try it for minutes."""
    address = os.environ["MASTER_ADDR"]
    try:
        socket.getaddrinfo(address, None)
    except OSError as error:
        raise UserError(f"MASTER_ADDR: no machine of the name {address}: {error.strerror}") from error


def translate_slurm(port: int | None) -> None:
    """Set torch's environment variables from slurm's; `port` is that of rank 0. UserError if no host is named."""
    names = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_NTASKS", "LOCAL_RANK": "SLURM_LOCALID"}
    os.environ.update({name: os.environ[source] for name, source in names.items()})
    os.environ.setdefault("MASTER_PORT", str(port or 29500))
    if "MASTER_ADDR" not in os.environ:
        nodes = os.environ["SLURM_NODELIST"]
        try:
            command = ["scontrol", "show", "hostnames", nodes]
            hosts = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            os.environ["MASTER_ADDR"] = hosts[0]
        except (OSError, subprocess.CalledProcessError, IndexError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise UserError(
                f"--launcher slurm: scontrol does not name the hosts of {nodes}: {reason}; set MASTER_ADDR"
            ) from error
