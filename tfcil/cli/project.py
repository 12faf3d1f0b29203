"""Commands for a project with your images: init, sample, status, stage."""

from tfcil.errors import UserError


def add(commands) -> None:
    """Adds the commands to the parser."""
    init = commands.add_parser("init", help="begin a project here with your images")
    init.add_argument("images", help="a folder with a folder of images per class, or a CSV file")
    init.add_argument("--image-size", type=int, help="side in pixels (64; 224 if pretrained)")
    init.add_argument(
        "--backbone",
        default="resnet18",
        help="the network (resnet18); efficientnet_lite0 has ImageNet weights and is not trained",
    )
    init.add_argument("--force", action="store_true", help="overwrite params.yaml and dvc.yaml")
    init.set_defaults(run=_init)

    sample = commands.add_parser("sample", help="write some of the embedded images to a folder")
    sample.add_argument("folder", help="the new folder, with a folder per class")
    sample.add_argument("--first", type=int, default=0, help="number of the first class (0)")
    sample.add_argument("--classes", type=int, default=6, help="how many of the 100 (6)")
    sample.set_defaults(run=_sample)

    status = commands.add_parser("status", help="show learned and pending tasks")
    status.set_defaults(run=_status)

    stage = commands.add_parser("stage", help="run one stage of the pipeline, as DVC does")
    stage.add_argument("name", help="prepare, recipes, start, train, select, evaluate or report")
    stage.add_argument("task", nargs="?", help="key of the task, for train, select and evaluate")
    stage.set_defaults(run=_stage)


def _init(options) -> None:
    from pathlib import Path

    from tfcil.backbones.names import check_backbone, is_file
    from tfcil.config.params import Dataset
    from tfcil.data.datasets import class_names
    from tfcil.project.create import create_project

    if options.image_size is not None and options.image_size < 1:
        raise UserError(f"Expected a side in pixels. Received: --image-size={options.image_size}")
    check_backbone(options.backbone)
    names = class_names(Dataset(name="folder", path=options.images))
    create_project(".", options.images, names, options.image_size, options.backbone, options.force)
    print(f"params.yaml: {len(names)} classes in task 00; dvc.yaml: the pipeline")
    if is_file(options.backbone):
        print(f"check model.pixels: which values does {options.backbone} take?")
    before = "" if Path(".dvc").exists() else "git init && dvc init, then "
    print(f"next: {before}dvc repro")


def _sample(options) -> None:
    from tfcil.project.sample import write_sample

    count = write_sample(options.folder, options.first, options.classes)
    print(f"{options.folder}: {count} images of {options.classes} classes")


def _status(options) -> None:
    from tfcil.project.status import print_status

    print_status()


def _stage(options) -> None:
    from tfcil.stages.run import LAST, ONCE, PER_TASK, run_stage

    known = (*ONCE, *PER_TASK, *LAST)
    if options.name not in known:
        raise UserError(f"Expected a stage: {', '.join(known)}. Received: stage={options.name}")
    if (options.name in PER_TASK) != (options.task is not None):
        expected = "a task" if options.name in PER_TASK else "no task"
        raise UserError(f"Stage {options.name}: expected {expected}. Received: task={options.task}")
    run_stage(options.name, *filter(None, [options.task]))
