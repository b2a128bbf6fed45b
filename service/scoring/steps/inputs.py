"""A measured step in the terms of the engine: its work, layout, machine and recipe.

Devices and links are those that a quote of the same cluster takes from the catalog. Models that the
catalog does not name are taken from the row's own fields.
"""

import re
from typing import NamedTuple, Protocol

from msgspec import UNSET, UnsetType

from service.core.argument import Argument, Fixed, Unknown
from service.core.catalog.catalog import Accelerator, Catalog
from service.core.cluster.hardware import Hardware, hardware_of
from service.core.figures.vocabulary import AdapterTarget
from service.core.model.adapters import trained_share_of_adapters
from service.core.model.architecture import Architecture
from service.core.model.assumed import plausible_transformer
from service.core.model.parameters import params_embedding, params_head, params_total
from service.core.model.shape import architecture_of
from service.core.request.request import Cluster
from service.core.request.transformer import LatentAttention, MixtureOfExperts, Transformer
from service.core.training.parallelism import RECOMPUTE_CODE, Layout
from service.core.training.steptime import Machine, Recipe, StepWork, work_of
from service.core.training.timing import RECIPE_OF_PEAK, machine_of
from service.scoring.devices import accelerator_named, domain_in_systems
from service.scoring.steps.measurements import Arch, Measurement
from service.scoring.steps.software import framework_of, kernel_of, software_year

# Devices that share the adapters of a server: where a row does not print them, and at most.
DEVICES_PER_SERVER = 8.0
# A format by the words that sources use for it, the most specific first.
FORMATS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("mxfp8",), "mxfp8"),
    (("fp4",), "nvfp4"),
    (("fp8", "float8", "e4m3"), "fp8"),
    (("int8",), "int8"),
    (("bf16", "bfloat"), "bf16"),
    (("fp16", "float16", "half"), "fp16"),
    (("tf32",), "tf32"),
    (("fp32", "float32"), "fp32"),
)
RANK = re.compile(r"\br(\d+)\b")
USUAL_RANK = 16.0  # of the adapters of a row that does not print it
HYBRID_LAYERS = re.compile(r"(\d+) attention, (\d+) mamba, (\d+) moe")
LATENT_EXPERTS = re.compile(r"latent moe (\d+)")
# Shares of attention, mixers and experts in a hybrid whose layers are not printed.
HYBRID_SHARES = (0.1, 0.45, 0.45)
# Share of the usual recomputation, in policies that keep the output of every product.
MINIMAL_POLICY_SHARE = 0.3
# PyTorch's policy per operation keeps attention and every second product.
PER_OPERATION_SHARE = 0.35


class Printed(Protocol):
    """A row that prints a model: its shape, or its parameters in billions."""

    @property
    def arch(self) -> Arch | None:
        """The shape."""

    @property
    def params_b(self) -> float | None:
        """Parameters."""

    @property
    def active_params_b(self) -> float | None:
        """Parameters that a token meets."""


class Expressed(NamedTuple):
    """One row in the engine's terms.

    `weight` is what it weighs in a fit beside others, `is_ordinary` that its stack is no maker's.
    """

    row: Measurement
    work: StepWork
    layout: Layout
    global_batch: float
    machine: Machine
    recipe: Recipe
    measured_s: float
    weight: float = 1.0
    is_ordinary: bool = False


def expressed(row: Measurement, catalog: Catalog) -> Expressed | str:
    """The row in the engine's terms, or what it lacks for that."""
    arch, work = row.arch, _work(row)
    if work is None:
        return "the model or its sequence length is not described"
    device = accelerator_named(row.accelerator or "", catalog)
    if device is None:
        return "the device is not in the catalog"
    hardware = _hardware(row, device, catalog)
    if isinstance(hardware, Unknown):
        return hardware.detail
    layout, batch = _layout(row)
    devices = row.device_count or layout.tensor_parallel * layout.pipeline_parallel
    seconds = _seconds(row)
    rate = row.measured.tokens_per_s_per_device
    if not seconds and rate:
        seconds = batch * (arch.seq_len or 0) / (rate * float(devices))
    if not seconds:
        return "neither the time of a step nor a throughput is printed"
    year = software_year(row, released=_year(device.released))
    return Expressed(
        row=row,
        work=work,
        layout=layout,
        global_batch=batch,
        machine=_machine(row, hardware),
        recipe=Recipe(
            precision=RECIPE_OF_PEAK[hardware.precision],
            framework=framework_of(row),
            software_year=year,
            rowwise_scales=_has_rowwise_scales(row),
            gated_experts=row.arch.gated_mlp is not False,
            frozen_weights=row.has_adapters,
            trained_share=_trained_share(row),
            gathered_bytes=(row.base_bits or 16.0) / 8.0,
            quantised_base=(row.base_bits or 16.0) < 16.0,
            compiled=row.compile,
            attention_kernel=kernel_of(row),
        ),
        measured_s=seconds,
    )


def _seconds(row: Measurement) -> float | None:
    """The measured time of a step. A trainer of reinforcement prints it without what comes between.

    Its throughput holds the hand-over of weights, which is no part of a training step.
    """
    printed = row.printed_step_s if "rl trainer" in row.words else None
    return printed or row.measured.step_time_s


def _work(row: Measurement) -> StepWork | None:
    arch = row.arch
    architecture = architecture_of_row(row)
    if architecture is None or not arch.seq_len:
        return None
    work = work_of(architecture=architecture, sequence_length=float(arch.seq_len))
    if arch.hybrid and arch.flops_per_token_source:
        return _hybrid(work, arch, forward_flop=arch.flops_per_token_source / 3)
    return work


def architecture_of_row(row: Printed) -> Architecture | None:
    """The printed architecture, or a plausible one with as many parameters."""
    transformer = transformer_of_row(row)
    if transformer is not None:
        return architecture_of(transformer)
    if not row.params_b:
        return None
    total, active = row.params_b * 1e9, (row.active_params_b or row.params_b) * 1e9
    return architecture_of(plausible_transformer(params_total=total, params_active=active))


def transformer_of_row(row: Printed) -> Transformer | None:
    """The printed architecture, if enough of it is printed."""
    a = row.arch
    if a is None or not (a.layers and a.hidden and a.heads and a.vocab):
        return None
    moe = _experts(a)
    ffn = a.ffn_hidden or (0.0 if moe else UNSET)
    return Transformer(
        layers=a.layers,
        hidden_size=a.hidden,
        heads=a.heads,
        vocab_size=a.vocab,
        kv_heads=a.kv_heads or UNSET,
        head_dim=a.head_dim or UNSET,
        ffn_size=ffn,
        gated_ffn=a.gated_mlp is not False,
        tied_embeddings=bool(a.tied),
        sliding_window=a.window or UNSET,
        sliding_window_share=1.0 if a.window_frac is None else a.window_frac,
        mtp_layers=a.mtp_layers or 0.0,
        moe=moe,
        mla=_latent(a),
    )


def _experts(a: Arch) -> MixtureOfExperts | UnsetType:
    if not (a.experts and a.moe_ffn):
        return UNSET
    shared = a.shared_ffn or 0.0
    return MixtureOfExperts(
        experts=a.experts,
        experts_per_token=a.experts_active or 1.0,
        moe_ffn_size=a.moe_ffn,
        shared_experts=float(shared > 0),
        shared_ffn_size=shared or UNSET,
        first_dense_layers=a.dense_layers or 0.0,
        moe_every=a.moe_every or 1.0,
    )


def _latent(a: Arch) -> LatentAttention | UnsetType:
    if not (a.kv_lora and a.qk_nope and a.qk_rope and a.v_head):
        return UNSET
    return LatentAttention(
        kv_lora_rank=a.kv_lora,
        qk_nope_head_dim=a.qk_nope,
        qk_rope_head_dim=a.qk_rope,
        v_head_dim=a.v_head,
        q_lora_rank=a.q_lora or 0.0,
    )


def _hybrid(work: StepWork, arch: Arch, *, forward_flop: float) -> StepWork:
    """Work of layers that are partly attention, partly other mixers, partly experts.

    The printed FLOP less those of attention, experts and logits are the mixers'. Without a count of
    the layers (sparse attention), all remaining FLOP are.
    """
    layers, kinds = float(work.layers), arch.attn or ""
    found = HYBRID_LAYERS.search(kinds)
    shares = [float(n) / layers for n in found.groups()] if found else list(HYBRID_SHARES)
    latent = LATENT_EXPERTS.search(kinds)
    narrowed = float(latent[1]) / float(work.hidden_size) if latent else 1.0
    if "sparse" in kinds:
        shares = [0.0, 1.0, 1.0]
    attention, _, moe = shares
    routed = work.routed_flop * narrowed
    experts = moe * (routed + work.shared_flop)
    core, projection = attention * work.core_flop, attention * work.projection_flop
    left = forward_flop / layers - core - projection - experts - work.logits_flop / layers
    return work._replace(
        moe_layers=moe * layers,
        ffn_flop=0.0,
        routed_flop=routed,
        routed_params=work.routed_params * narrowed,
        dispatch_width=work.dispatch_width * narrowed,
        projection_flop=projection,
        core_flop=core,
        mixer_flop=max(0.0, float(left)),
        train_flop=3 * forward_flop,
    )


def _trained_share(row: Measurement) -> float:
    """Trained parameters over the model's: all, or adapters of the printed rank and place."""
    architecture = architecture_of_row(row)
    if not row.has_adapters or architecture is None:
        return 1.0
    text = row.peft or ""
    rank = float(found[1]) if (found := RANK.search(text)) else USUAL_RANK
    target: AdapterTarget = "all_linear"
    if "qkvo" in text and "mlp" not in text:
        target = "attention"
    share = trained_share_of_adapters(architecture=architecture, rank=rank, target=target)
    if "embedding" in text:
        ends = params_embedding(architecture=architecture) + params_head(architecture=architecture)
        share = share + ends / params_total(architecture=architecture)
    return float(share)


def _layout(row: Measurement) -> tuple[Layout, float]:
    """The layout and the sequences per step. Values that are not printed are filled in."""
    p = row.parallelism
    tp, pp, cp, ep = p.tp or 1.0, p.pp or 1.0, p.cp or 1.0, p.ep or 1.0
    inner = tp * pp * cp
    dp = p.dp or max(1.0, (row.device_count or inner) // inner)
    sharded = bool(p.fsdp) or (p.zero_stage or 0) >= 3
    micro = row.micro_batch
    if not micro:
        whole = (row.global_batch or dp) / dp
        micro = max(1.0, whole) if sharded and pp == 1 else 1.0
    batch = row.global_batch or dp * micro
    code, share = _recompute(row)
    stage = 3.0 if sharded else 1.0 if p.zero_stage is None else p.zero_stage
    split = p.sequence_parallel
    if split is None:
        split = True
    layout = Layout(
        tensor_parallel=tp,
        pipeline_parallel=pp,
        data_parallel=dp,
        context_parallel=cp,
        expert_parallel=ep,
        micro_batch=micro,
        virtual_stages=_virtual_stages(row, pp),
        zero_stage=stage,
        sequence_parallel=float(split),
        recompute=code,
        recompute_share=share,
    )
    return layout, batch


def _virtual_stages(row: Measurement, pp: float) -> float:
    """Model chunks per device as printed.

    Pipeline communication is overlapped in interleaved schedules only. Software that says that it
    overlaps has one layer in each chunk, unless another number is printed.
    """
    if row.parallelism.vp:
        return row.parallelism.vp
    overlaps = "pp overlap" in (row.software or "").lower()
    return max(1.0, (row.arch.layers or 1.0) / pp) if overlaps and pp > 1 else 1.0


def _recompute(row: Measurement) -> tuple[float, float]:
    """The code of recompute and the share of layers. XLA rows have a policy by default."""
    text = (row.activation_recompute or "").lower()
    if text.startswith("full"):
        return RECOMPUTE_CODE["full"], 1.0
    if partial := re.search(r"partial \((\d+) of (\d+) layers, full", text):
        return RECOMPUTE_CODE["full"], float(partial[1]) / float(partial[2])
    if "minimal" in text:
        return RECOMPUTE_CODE["selective"], MINIMAL_POLICY_SHARE
    if "op" in text.split("(")[-1] and text.startswith("selective"):
        return RECOMPUTE_CODE["full"], PER_OPERATION_SHARE
    if text.startswith(("selective", "custom")) or (not text and row.on_xla):
        return RECOMPUTE_CODE["selective"], 1.0
    return RECOMPUTE_CODE["none"], 1.0


def _precision(row: Measurement) -> str:
    text = (row.precision or "bf16").lower()
    for words, precision in FORMATS:
        if any(word in text for word in words):
            return precision
    return "bf16"


def _has_rowwise_scales(row: Measurement) -> bool:
    text = " ".join((row.precision or "", row.software or "", row.notes or "")).lower()
    return any(word in text for word in ("rowwise", "row-wise", "row_wise"))


def _hardware(row: Measurement, device: Accelerator, catalog: Catalog) -> Hardware | Unknown:
    """What a quote would know of the row's cluster: the network as printed, else as is usual."""
    cluster = Cluster(
        device=device.id,
        devices=row.device_count or 1.0,
        network_gbit_per_s_per_device=_network_gbit_per_s(row),
        devices_per_domain=domain_in_systems(device.id, row.device_count),
    )
    at = Argument(catalog).at(cluster, pointer="/cluster", prefix="cluster")
    return hardware_of(at, Fixed(_precision(row), "/precision"))


def _machine(row: Measurement, hardware: Hardware) -> Machine:
    """The machine that a quote is timed on; a row may say of how many chips a slice of TPUs is."""
    machine = machine_of(hardware)
    if not (row.device_count and row.parallelism.slices):
        return machine
    slice_devices = row.device_count / row.parallelism.slices
    return machine._replace(scale_up_domain=min(hardware.scale_up_domain, slice_devices))


def _network_gbit_per_s(row: Measurement) -> float | UnsetType:
    """The device's share of the adapters of its server, where they are printed."""
    text = row.interconnect or ""
    per_node = row.devices_per_node or DEVICES_PER_SERVER
    if found := re.search(r"(\d+) x (\d+) Gb/s", text):
        return float(found[1]) * float(found[2]) / min(per_node, DEVICES_PER_SERVER)
    if found := re.search(r"(\d+) Gb/s per node", text):
        return float(found[1]) / per_node
    return UNSET


def _year(released: str) -> float:
    year, month = (f"{released}-06").split("-")[:2]
    return int(year) + (int(month) - 1) / 12
