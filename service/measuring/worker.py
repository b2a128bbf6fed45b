"""Times one case: `python -m service.measuring.worker` reads it from standard input as JSON.

It alone of the service imports PyTorch. The last line of standard output is what was found, and
progress goes to standard error.
"""

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, Final

import msgspec

from service.measuring.building import adapted_modules, built_of
from service.measuring.case import Case, DeviceName, Found, Versions

NO_COMPILER: Final = frozenset(("InvalidCxxCompiler", "BackendCompilerFailed", "InductorError"))
"""Classes of errors by which PyTorch says that it could not compile."""
OUT_OF_MEMORY: Final = ("out of memory", "can't allocate memory", "not enough memory")
LEARNING_RATE: Final = 1e-5
MOMENTUM: Final = 0.9
ADAM_STATES: Final = 2


class OutOfMemory(Exception):
    """The step needs more memory than there is."""


def main() -> None:
    """Read a case, time it, and print what was found."""
    case = msgspec.json.decode(sys.stdin.buffer.read(), type=Case)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.filterwarnings("ignore")  # of libraries about each other
    found = timed(case)
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(found) + b"\n")


def timed(case: Case) -> Found:
    """What timing a case comes to, whatever that is."""
    import torch  # noqa: PLC0415 - an extra

    device: DeviceName = case.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        why = f"there is no CUDA device that PyTorch {torch.__version__} can use; --device cpu"
        return Found(outcome="no_device", why=f"{why} times on the CPU")
    name = str(torch.cuda.get_device_name()) if device == "cuda" else "cpu"
    try:
        return _Run(case, device=device, name=name).found()
    except Exception as error:  # noqa: BLE001 - a step that fails is an answer
        why = str(error).strip().partition("\n")[0][:300]
        if isinstance(error, OutOfMemory | MemoryError) or _says_no_memory(error):
            return Found(outcome="oom", why=why, device=device, device_name=name)
        if {kind.__name__ for kind in type(error).__mro__} & NO_COMPILER:
            why = f"torch.compile found no compiler that works here ({why}); --eager times without"
            return Found(outcome="no_compiler", why=why, device=device, device_name=name)
        return Found(outcome="failed", why=f"{type(error).__name__}: {why}")


def _says_no_memory(error: Exception) -> bool:
    said = str(error).lower()
    return type(error).__name__ == "OutOfMemoryError" or any(word in said for word in OUT_OF_MEMORY)


class _Run:
    """One case on one device."""

    def __init__(self, case: Case, *, device: DeviceName, name: str) -> None:
        import torch  # noqa: PLC0415 - an extra

        self.torch: Any = torch
        self.case = case
        self.device = device
        self.name = name
        self.mixed = case.precision == "bf16" and case.optimizer != "adamw_pure_bf16"
        narrow = case.precision == "bf16" and not (self.mixed and case.adapters is None)
        self.weights: Any = torch.bfloat16 if narrow else torch.float32

    def found(self) -> Found:
        """Build the model, warm up, and time steps."""
        self._check_memory()
        model = self._built(self.device)
        counts = [parameter.numel() for parameter in model.parameters()]
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        trains = sum(parameter.numel() for parameter in trained)
        _tell(
            f"{self.case.transformer.layers:g} layers on {self.name}: {sum(counts):,} parameters, "
            f"{trains:,} of them trained"
        )
        seconds = tuple(self._seconds(self._step(model, trained)))
        cuda = self.torch.cuda
        on_cuda = self.device == "cuda"
        return Found(
            outcome="fits",
            device=self.device,
            device_name=self.name,
            seconds=seconds,
            parameters=sum(counts) - (trains if self.case.adapters else 0),
            trained_parameters=trains,
            peak_allocated_bytes=cuda.max_memory_allocated() if on_cuda else None,
            peak_reserved_bytes=cuda.max_memory_reserved() if on_cuda else None,
            device_bytes=cuda.get_device_properties(0).total_memory if on_cuda else None,
            versions=self._versions(),
        )

    def _check_memory(self) -> None:
        """Raise `OutOfMemory` if not even weights, gradients and states have room."""
        meta = self._built("meta")
        needed = 0
        for parameter in meta.parameters():
            copies = 1 + (1 + self._states()) * parameter.requires_grad
            needed += parameter.numel() * parameter.element_size() * copies
        free = self._free_bytes()
        if needed > free:
            raise OutOfMemory(
                f"weights, gradients and states take {needed / 2**30:.1f} GiB, and "
                f"{free / 2**30:.1f} GiB are free"
            )

    def _states(self) -> int:
        """Copies of the trained parameters that the optimizer keeps."""
        kept = {"sgd_momentum": 1, "adafactor": 0}
        return kept.get(self.case.optimizer, ADAM_STATES)

    def _free_bytes(self) -> int:
        if self.device == "cuda":
            return int(self.torch.cuda.mem_get_info()[0])
        import psutil  # noqa: PLC0415 - an extra

        return int(psutil.virtual_memory().available)

    def _built(self, device: str) -> Any:
        """The model with random weights, and its adapters."""
        import transformers  # noqa: PLC0415 - an extra

        built = built_of(self.case.transformer, sequence_length=self.case.sequence_length)
        config = getattr(transformers, built.config)(**built.members)
        self.torch.manual_seed(0)
        with self.torch.device(device):
            model = transformers.AutoModelForCausalLM.from_config(
                config,
                attn_implementation="sdpa" if self.case.fused_attention else "eager",
                dtype=self.weights,
            )
        model.train()
        if self.case.recompute == "full":
            model.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs={"use_reentrant": False}
            )
        return model if self.case.adapters is None else self._adapted(model)

    def _adapted(self, model: Any) -> Any:
        import peft  # noqa: PLC0415 - an extra

        adapters = self.case.adapters
        assert adapters is not None
        modules = adapted_modules(self.case.transformer, adapters)
        config = peft.LoraConfig(
            r=adapters.rank,
            lora_alpha=2 * adapters.rank,
            target_modules=modules if isinstance(modules, str) else list(modules),
            task_type="CAUSAL_LM",
        )
        adapted = peft.get_peft_model(model, config, autocast_adapter_dtype=self.mixed)
        if self.case.recompute == "full":
            adapted.enable_input_require_grads()
        return adapted

    def _step(self, model: Any, trained: list[Any]) -> Callable[[], None]:
        """One step of the optimizer, over its micro-batches."""
        case, torch = self.case, self.torch
        optimizer = self._optimizer(trained)
        run = torch.compile(model) if case.compiled else model
        shape = (case.micro_batch, case.sequence_length)
        tokens = torch.randint(0, int(case.transformer.vocab_size), shape, device=self.device)

        def step() -> None:
            for _ in range(case.accumulation):
                mixed = torch.autocast(self.device, torch.bfloat16) if self.mixed else nullcontext()
                with mixed:
                    loss = run(input_ids=tokens, labels=tokens).loss / case.accumulation
                loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        return step

    def _optimizer(self, trained: list[Any]) -> Any:
        optim = self.torch.optim
        if self.case.optimizer == "sgd_momentum":
            return optim.SGD(trained, lr=LEARNING_RATE, momentum=MOMENTUM)
        if self.case.optimizer == "adafactor":
            return optim.Adafactor(trained, lr=LEARNING_RATE)
        return optim.AdamW(trained, lr=LEARNING_RATE, fused=self.device == "cuda")

    def _seconds(self, step: Callable[[], None]) -> Iterator[float]:
        """Seconds of every step that counts. The device has finished before and after each."""
        for number in range(1, self.case.warmup + self.case.steps + 1):
            self._wait()
            start = time.perf_counter()
            step()
            self._wait()
            taken = time.perf_counter() - start
            counts = number > self.case.warmup
            _tell(f"step {number}: {taken:.4g} s" + ("" if counts else " (warm-up)"))
            if counts:
                yield taken

    def _wait(self) -> None:
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def _versions(self) -> Versions:
        import transformers  # noqa: PLC0415 - an extra

        with_adapters = None
        if self.case.adapters is not None:
            import peft  # noqa: PLC0415 - an extra

            with_adapters = str(peft.__version__)
        return Versions(
            torch=str(self.torch.__version__),
            transformers=str(transformers.__version__),
            peft=with_adapters,
            cuda=self.torch.version.cuda if self.device == "cuda" else None,
        )


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
