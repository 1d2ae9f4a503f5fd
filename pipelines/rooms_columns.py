"""x"""

from l9.config import Pipeline, Prep, Schedule, Set, Train, Training, Use
from l9.models.column_net import ColumnNet
from l9.stages import scene_columns
from l9.tasks.frequent_labels import FrequentLabels
from l9.tasks.label_columns import LabelColumns

pipeline = Pipeline(
    name="rooms-columns",
    sets={"rooms": Set("rooms", Prep(Use(scene_columns)))},
    trainings=(
        Training(
            Use(LabelColumns, turned=True),
            Use(ColumnNet),
            Schedule(epochs=5, batch=64, curve="cosine", warmup=0.05, checkpoint_every=1),
            name="column_net",
        ),
        Training(Use(FrequentLabels, by_height=True), None, name="height"),
        Training(Use(FrequentLabels), None, name="majority"),
    ),
    train=Train(precision="bfloat16"),
)
