"""Training recipes, read from `recipes/*.toml` next to this file.

In: a recipe's name or file. Out: `TrainingRecipe`.
"""

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
    """The weight of each term of the loss.

    Parameters, keypoints and boxes are the three terms of equation (4), which the paper does not weight.

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
    keypoints_3d: float = 1.0  # relative to the pelvis
    hand_keypoints_3d: float = 1.0  # each hand's, relative to its wrist
    face_keypoints_3d: float = 1.0  # relative to the head joint
    keypoints_2d: float = 1.0
    part_boxes: float = 1.0
    part_boxes_giou: float = 0.0
    visibility: float = 1.0


@dataclass(frozen=True)
class DenseWeights:
    """Weights of the auxiliary terms on the encoder's tokens; if all are 0, the heads are left out."""

    labels: float = 0.0  # nats; body part of each patch
    keypoints: float = 0.0  # nats; the patch that contains a keypoint
    depths: float = 0.0  # m; depth of a keypoint, predicted by its patch
    positions: float = 0.0  # m; position of a joint, predicted by its task token
    orientations: float = 0.0  # matrix; orientation of a joint in the camera frame, predicted by its task token

    @property
    def on(self) -> bool:
        """Whether any weight is above 0."""
        return any(value > 0 for value in asdict(self).values())


@dataclass(frozen=True)
class Augmentation:
    """Strengths of the changes to a training image. With all at 0 and the scales at 1, the image is unchanged."""

    rotation_sigma_deg: float = 0.0
    rotation_limit_deg: float = 0.0
    rotation_probability: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)  # sampled uniformly on a logarithmic scale
    shift: float = 0.0  # maximum in either direction, as a fraction of the crop's width
    flip_probability: float = 0.0
    brightness: float = 0.0  # maximum in either direction, as a fraction of white
    contrast: float = 0.0  # gain about the mean: 1 - this to 1 + this
    channel_gain: float = 0.0  # gain of each channel: 1 - this to 1 + this
    gamma: float = 0.0  # exponent: exp(-this) to exp(this)
    grey_probability: float = 0.0
    noise_sigma: float = 0.0  # maximum, as a fraction of white
    noise_probability: float = 0.0
    erase_probability: float = 0.0
    erase_area: tuple[float, float] = (0.0, 0.0)  # fraction of the crop

    @property
    def on(self) -> bool:
        """Whether anything is changed."""
        return self != Augmentation()


@dataclass(frozen=True)
class Features:
    """Distillation: weights of the distances between the student's and the teacher's features."""

    encoder: float = 0.0
    enhancer: float = 0.0

    @property
    def on(self) -> bool:
        """Whether either weight is above 0."""
        return self.encoder > 0 or self.enhancer > 0


@dataclass(frozen=True)
class Distillation:
    """Weights of the distance between student and teacher."""

    outputs: LossWeights = field(default_factory=LossWeights)  # the loss with the teacher's outputs as labels
    vertices: float = 0.0  # m, relative to the pelvis
    labels: float = 0.0  # the loss of equation (4) on the dataset's own labels
    features: Features = field(default_factory=Features)


@dataclass(frozen=True)
class TrainingRecipe:
    """A training recipe; comments in the TOML file give the reason for each value."""

    name: str
    batch_size: int  # all processes together
    steps: int
    lr: float  # learning rate of Adam
    optimizer: OptimizerName = "adam"
    muon_lr: float = 0.0  # learning rate of the hidden matrices, with "muon"
    adam_betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: int = 0
    schedule: Schedule = "constant"
    final_lr_share: float = 1.0  # cosine, wsd: the last step's learning rate as a fraction of `lr`
    decay_share: float = 0.0  # wsd: the fraction of all steps, at the end, over which the learning rate falls
    clip_norm: float = 0.0  # maximum norm of the gradient; 0: no clipping
    ema_decay: float = 0.0  # decay of the averaged weights; 0: the weights themselves are written
    freeze_trunk: bool = False  # do not train the pretrained trunk, in models that have one
    precision: TrainingPrecision = "fp32"
    log_every: int = 50
    checkpoint_every: int = 1000
    keep_every: int = 0  # also keep a numbered checkpoint; 0: only the last
    evaluate_every: int = 0  # 0: no evaluation during training
    loss: LossWeights = field(default_factory=LossWeights)
    dense: DenseWeights = field(default_factory=DenseWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)
    distillation: Distillation = field(default_factory=Distillation)

    def __post_init__(self) -> None:
        choices = (("schedule", Schedule), ("precision", TrainingPrecision), ("optimizer", OptimizerName))
        for key, valid in ((key, get_args(literal)) for key, literal in choices):
            if getattr(self, key) not in valid:
                raise InputError(f"{self._where}: {key} is {getattr(self, key)!r}; valid are {', '.join(valid)}.")
        for key in ("batch_size", "steps", "log_every", "checkpoint_every"):
            if getattr(self, key) < 1:
                raise InputError(f"{self._where}: {key} is {getattr(self, key)}; it must be at least 1.")
        if not self.lr > 0:
            raise InputError(f"{self._where}: lr is {self.lr}; it must be above 0.")
        if (self.optimizer == "muon") != (self.muon_lr > 0):
            raise InputError(
                f"{self._where}: optimizer is {self.optimizer!r} and muon_lr is {self.muon_lr}; "
                "muon needs a muon_lr above 0, and adam does not take one."
            )
        if (self.schedule == "wsd") != (0 < self.decay_share <= 1):
            raise InputError(
                f"{self._where}: schedule is {self.schedule!r} and decay_share is {self.decay_share}; "
                "wsd needs a decay_share above 0 and at most 1, and the other schedules do not take one."
            )
        if not 0 <= self.ema_decay < 1:
            raise InputError(f"{self._where}: ema_decay is {self.ema_decay}; it must be at least 0 and below 1.")
        if not 0 < self.augmentation.scale[0] <= self.augmentation.scale[1]:
            raise InputError(
                f"{self._where}: augmentation.scale is {self.augmentation.scale}; it must be [low, high] with "
                "0 < low <= high."
            )

    @property
    def _where(self) -> str:
        return f"Training recipe {self.name!r}"

    @classmethod
    def open(cls, name_or_file: str | Path) -> Self:
        """Read a recipe that comes with the package by its name, or a TOML file of your own.

        Raises:
            InputError: there is no such recipe, it is not TOML, keys are unknown or missing, or values are invalid.
        """
        path = Path(name_or_file)
        if path.suffix != ".toml":
            path = RECIPE_FOLDER / f"{name_or_file}.toml"
        if not path.is_file():
            raise InputError(
                f"There is no training recipe {str(name_or_file)!r}; valid are {', '.join(names())}, or the path of a "
                ".toml file."
            )
        return cls.of(recipes.read_toml(path), f"Training recipe {name_or_file}")

    @classmethod
    def of(cls, table: dict[str, Any], where: str) -> Self:
        """Make a recipe from a TOML file's table, or from the result of `table`."""
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
