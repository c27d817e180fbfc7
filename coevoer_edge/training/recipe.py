"""How a network is trained, read from `recipes/*.toml` beside this file.

In: a recipe's name or file. Out: `TrainingRecipe`.
"""

import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args

from coevoer_edge import recipes
from coevoer_edge.errors import InputError

T = TypeVar("T")

RECIPE_FOLDER = Path(__file__).parent / "recipes"

Schedule = Literal["constant", "cosine", "wsd"]
TrainingPrecision = Literal["fp32", "bf16"]
OptimizerName = Literal["adam", "muon"]


@dataclass(frozen=True)
class LossWeights:
    """What each term of the loss counts. The first three groups are equation (4); the paper weighs none of its terms.

    Units: rotations as matrices, betas and expression in standard deviations, lengths in m, image positions in crop
    heights (256 px), boxes in fractions of the crop, visibility in nats.
    """

    global_orient: float = 1.0
    body_pose: float = 1.0
    hand_pose: float = 1.0
    jaw_pose: float = 1.0
    betas: float = 1.0
    expression: float = 1.0
    camera: float = 1.0  # x and y in m, and the logarithm of depth
    keypoints_3d: float = 1.0  # from the pelvis
    hand_keypoints_3d: float = 1.0  # each hand's from its wrist
    face_keypoints_3d: float = 1.0  # from the head joint
    keypoints_2d: float = 1.0
    part_boxes: float = 1.0
    part_boxes_giou: float = 0.0
    visibility: float = 1.0


@dataclass(frozen=True)
class DenseWeights:
    """What the auxiliary terms on the encoder's tokens count; all at 0 leave their heads out."""

    labels: float = 0.0  # nats, of a patch's part of the body
    keypoints: float = 0.0  # nats, of the patch that a keypoint lies in
    depths: float = 0.0  # m, of the keypoint in its patch
    positions: float = 0.0  # m, of a joint, by its task token
    orientations: float = 0.0  # of a joint in the camera frame, as a matrix, by its task token

    @property
    def on(self) -> bool:
        """Whether any term counts."""
        return any(value > 0 for value in asdict(self).values())


@dataclass(frozen=True)
class Augmentation:
    """How far a training image is changed. Everything at 0, and scales at 1, leaves it as it is."""

    rotation_sigma_deg: float = 0.0
    rotation_limit_deg: float = 0.0
    rotation_probability: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)  # sampled uniformly on a logarithmic scale
    shift: float = 0.0  # at most, either way, as a fraction of the crop's width
    flip_probability: float = 0.0
    brightness: float = 0.0  # at most, either way, of white
    contrast: float = 0.0  # gain about the mean: 1 - this to 1 + this
    channel_gain: float = 0.0  # 1 - this to 1 + this, each channel
    gamma: float = 0.0  # exponent: exp(-this) to exp(this)
    grey_probability: float = 0.0
    noise_sigma: float = 0.0  # at most, of white
    noise_probability: float = 0.0
    erase_probability: float = 0.0
    erase_area: tuple[float, float] = (0.0, 0.0)  # of the crop

    @property
    def on(self) -> bool:
        """Whether anything is changed."""
        return self != Augmentation()


@dataclass(frozen=True)
class Features:
    """Distillation: what the distance of the student's features from the teacher's counts."""

    encoder: float = 0.0
    enhancer: float = 0.0

    @property
    def on(self) -> bool:
        """Whether either counts."""
        return self.encoder > 0 or self.enhancer > 0


@dataclass(frozen=True)
class Distillation:
    """Weights of the distance between student and teacher."""

    outputs: LossWeights = field(default_factory=LossWeights)  # its terms with the teacher's outputs as labels
    vertices: float = 0.0  # m, from the pelvis
    labels: float = 0.0  # the loss of equation (4) against the data set's own labels
    features: Features = field(default_factory=Features)


@dataclass(frozen=True)
class TrainingRecipe:
    """A training recipe; the reason of each value stands beside it in the TOML file."""

    name: str
    batch_size: int  # of all processes together
    steps: int
    lr: float  # Adam's
    optimizer: OptimizerName = "adam"
    muon_lr: float = 0.0  # of the hidden matrices, with "muon"
    adam_betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: int = 0
    schedule: Schedule = "constant"
    final_lr_share: float = 1.0  # cosine, wsd: the last step's learning rate, of `lr`
    decay_share: float = 0.0  # wsd: of all steps, over which the learning rate falls at the end
    clip_norm: float = 0.0  # of the gradient; 0: not clipped
    ema_decay: float = 0.0  # of the averaged weights; 0: the weights themselves are written
    freeze_trunk: bool = False  # the pretrained trunk, of models that have one, stays as it is
    precision: TrainingPrecision = "fp32"
    log_every: int = 50
    checkpoint_every: int = 1000
    keep_every: int = 0  # also keep a numbered checkpoint; 0: only the last
    evaluate_every: int = 0  # 0: never while training
    loss: LossWeights = field(default_factory=LossWeights)
    dense: DenseWeights = field(default_factory=DenseWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)
    distillation: Distillation = field(default_factory=Distillation)

    def __post_init__(self) -> None:
        choices = (("schedule", Schedule), ("precision", TrainingPrecision), ("optimizer", OptimizerName))
        for key, valid in ((key, get_args(literal)) for key, literal in choices):
            if getattr(self, key) not in valid:
                raise InputError(f"{self._where}: {key} {getattr(self, key)!r}; valid: {', '.join(valid)}.")
        for key in ("batch_size", "steps", "log_every", "checkpoint_every"):
            if getattr(self, key) < 1:
                raise InputError(f"{self._where}: {key} {getattr(self, key)}; it takes 1 or more.")
        if not self.lr > 0:
            raise InputError(f"{self._where}: lr {self.lr}; it takes a number above 0.")
        if (self.optimizer == "muon") != (self.muon_lr > 0):
            raise InputError(
                f"{self._where}: optimizer {self.optimizer!r} with muon_lr {self.muon_lr}; "
                "muon takes a number above 0, adam none."
            )
        if (self.schedule == "wsd") != (0 < self.decay_share <= 1):
            raise InputError(
                f"{self._where}: schedule {self.schedule!r} with decay_share {self.decay_share}; "
                "wsd takes one above 0 and at most 1, the others none."
            )
        if not 0 <= self.ema_decay < 1:
            raise InputError(f"{self._where}: ema_decay {self.ema_decay}; it takes 0 to below 1.")
        if not 0 < self.augmentation.scale[0] <= self.augmentation.scale[1]:
            raise InputError(
                f"{self._where}: augmentation.scale {self.augmentation.scale}; it takes [low, high] above 0."
            )

    @property
    def _where(self) -> str:
        return f"Training recipe {self.name!r}"

    @classmethod
    def open(cls, name_or_file: str | Path) -> Self:
        """Read a recipe that comes with the package by its name, or a TOML file of your own.

        Raises:
            InputError: no such recipe, not TOML, unknown or missing keys, impossible values.
        """
        path = Path(name_or_file)
        if path.suffix != ".toml":
            path = RECIPE_FOLDER / f"{name_or_file}.toml"
        if not path.is_file():
            raise InputError(
                f"No training recipe {str(name_or_file)!r}; valid: {', '.join(names())}, or the path of a .toml file."
            )
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not a TOML file ({error}); correct it.") from error
        return cls.of(table, f"Training recipe {name_or_file}")

    @classmethod
    def of(cls, table: dict[str, Any], where: str) -> Self:
        """Make a recipe of a TOML file's table, or of what `table` gave."""
        return _into(cls, table, where)

    def table(self) -> dict[str, Any]:
        """The recipe as plain tables, for a checkpoint."""
        return asdict(self)


_TABLES = (LossWeights, DenseWeights, Augmentation, Features, Distillation)


def _into(cls: type[T], table: dict[str, Any], where: str) -> T:
    nested: dict[str, Any] = {f.name: f.type for f in fields(cls) if f.type in _TABLES}  # type: ignore[arg-type]

    def value_of(key: str, value: Any) -> Any:
        is_table = key in nested and isinstance(value, dict)
        return _into(nested[key], value, f"{where}, [{key}]") if is_table else value

    made = {key: value_of(key, value) for key, value in table.items()}
    return recipes.into(cls, made, where)


def names() -> tuple[str, ...]:
    """Names of the recipes that come with the package."""
    return tuple(sorted(path.stem for path in RECIPE_FOLDER.glob("*.toml")))
