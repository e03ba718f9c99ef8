"""Where outputs go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cropper.errors import ConfigError
from cropper.naming import STANDARD, Plan, plan_outputs
from tests.image.pictures import encoded, photo


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plan(
    *sources: str,
    template: str | None = None,
    top_k: int = 1,
    label: str = "4x5",
    overwrite: bool = False,
) -> Plan:
    return plan_outputs(sources, template, top_k, label, overwrite)


def outputs(*sources: str, **options: object) -> list[list[str]]:
    jobs = plan(*sources, **options).inputs  # type: ignore[arg-type]
    return [[str(path) for path in job.outputs] for job in jobs]


def test_the_default_is_beside_the_source_with_its_extension() -> None:
    assert outputs("a.jpg", "x/b.PNG", "/c/d.e.webp") == [
        ["a-best.jpg"],
        ["x/b-best.PNG"],
        ["/c/d.e-best.webp"],
    ]


def test_every_field_is_filled() -> None:
    template = "{dir}/{aspect}/{stem}_{rank}{ext}"
    assert outputs("x/a.jpg", template=template, top_k=2) == [["x/4x5/a_1.jpg", "x/4x5/a_2.jpg"]]
    assert outputs("a.jpg", template="{aspect}.png", label="1.91x1") == [["1.91x1.png"]]


def test_doubled_braces_stand_for_themselves() -> None:
    assert outputs("a.jpg", template="{{{stem}}}.png") == [["{a}.png"]]


def test_braces_in_the_names_of_sources_are_no_fields() -> None:
    assert outputs("{rank}/{nothing}.jpg") == [["{rank}/{nothing}-best.jpg"]]


@pytest.mark.parametrize(
    "template",
    ["{nothing}.png", "{}.png", "{0}.png", "{stem.__class__}.png", "{stem!r}.png", "{rank:03}.png"],
)
def test_other_fields_are_refused_with_the_list_of_fields(template: str) -> None:
    with pytest.raises(ConfigError, match=r"\{dir\}, \{stem\}, \{ext\}, \{rank\}, \{aspect\}"):
        plan("a.jpg", template=template)


@pytest.mark.parametrize("template", ["{stem.png", "stem}.png", "{stem"])
def test_unbalanced_braces_are_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="broken"):
        plan("a.jpg", template=template)


@pytest.mark.parametrize("template", ["thumbs", "new/", "thumbs/"])
def test_a_folder_takes_default_names(template: str) -> None:
    Path("thumbs").mkdir()
    folder = template.strip("/")
    assert outputs("x/a.jpg", "b.png", template=template) == [
        [f"{folder}/a-best.jpg"],
        [f"{folder}/b-best.png"],
    ]


def test_a_folder_may_have_braces_in_its_name() -> None:
    Path("a{b").mkdir()
    assert outputs("x.jpg", template="a{b") == [["a{b/x-best.jpg"]]


def test_ranks_after_the_first_are_numbered_where_the_template_does_not() -> None:
    assert outputs("a.jpg", top_k=3) == [["a-best.jpg", "a-best-2.jpg", "a-best-3.jpg"]]
    assert outputs("a.jpg", template="b.png", top_k=2) == [["b.png", "b-2.png"]]
    assert outputs("a.jpg", template="{rank}.png", top_k=2) == [["1.png", "2.png"]]


def test_a_name_without_extension_gets_that_of_its_content() -> None:
    Path("picture").write_bytes(encoded(photo(), "WEBP"))
    assert outputs("picture") == [["picture-best.webp"]]


def test_standard_output_takes_one_crop_of_one_source() -> None:
    for options in ({}, {"template": STANDARD}):
        (job,) = plan(STANDARD, **options).inputs  # type: ignore[arg-type]
        assert (job.source, job.outputs) == (STANDARD, ())
    assert plan("a.jpg", template=STANDARD).inputs[0].outputs == ()
    for sources, top_k in ((["a.jpg", "b.jpg"], 1), (["a.jpg"], 2)):
        with pytest.raises(ConfigError, match="standard output"):
            plan(*sources, template=STANDARD, top_k=top_k)


def test_standard_input_needs_an_output_with_an_extension() -> None:
    assert outputs(STANDARD, template="{stem}.jpg") == [["stdin.jpg"]]
    for sources, template in (([STANDARD], "{stem}{ext}"), ([STANDARD, "a.jpg"], None)):
        with pytest.raises(ConfigError, match="standard input has no extension"):
            plan(*sources, template=template)


@pytest.mark.parametrize(
    "template", ["one.png", "{stem}.png", "x/../{stem}.png", "{stem}-{rank}.png"]
)
def test_two_sources_onto_one_file_are_refused_naming_both(template: str) -> None:
    with pytest.raises(ConfigError, match=r"a/x\.jpg and b/x\.jpg"):
        plan("a/x.jpg", "b/x.jpg", template=template)


def test_names_that_differ_in_case_alone_count_as_one_file() -> None:
    with pytest.raises(ConfigError, match="both"):
        plan("a/x.jpg", "b/X.jpg", template="out/{stem}.png")


def test_names_that_meet_behind_a_link_count_as_one_file() -> None:
    Path("real").mkdir()
    Path("link").symlink_to("real")
    with pytest.raises(ConfigError, match="both"):
        plan("real/x.jpg", "link/x.jpg")


def test_a_rank_may_not_meet_the_crop_of_another_source() -> None:
    with pytest.raises(ConfigError, match="both"):
        plan("a.jpg", "a-2.jpg", template="{stem}.png", top_k=2)


def test_a_source_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError):
        plan("a.jpg", "a.jpg")


def test_an_existing_output_needs_overwrite() -> None:
    Path("a-best.jpg").touch()
    with pytest.raises(ConfigError, match=r"a-best\.jpg exists.*`overwrite`"):
        plan("a.jpg")
    assert outputs("a.jpg", overwrite=True) == [["a-best.jpg"]]


def test_an_existing_output_of_any_rank_needs_overwrite() -> None:
    Path("a-best-3.jpg").touch()
    with pytest.raises(ConfigError, match="exists"):
        plan("a.jpg", top_k=3)
    assert len(outputs("a.jpg", top_k=2)[0]) == 2


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_source_is_never_the_output_of_another(overwrite: bool) -> None:
    for template in ("{stem}-best.jpg", "{dir}/{stem}-best{ext}"):
        with pytest.raises(ConfigError, match=r"a-best\.jpg is an input"):
            plan("a.jpg", "a-best.jpg", template=template, overwrite=overwrite)


def test_one_source_may_be_replaced_by_name_with_overwrite_alone() -> None:
    assert outputs("a.jpg", template="a.jpg", overwrite=True) == [["a.jpg"]]
    with pytest.raises(ConfigError, match="is an input"):
        plan("a.jpg", template="a.jpg")
    with pytest.raises(ConfigError, match="is an input"):
        plan("a.jpg", "b.jpg", template="{stem}.jpg", overwrite=True)


def test_a_source_is_not_replaced_by_a_template_a_link_or_an_overlay() -> None:
    Path("a.jpg").touch()
    Path("link.jpg").symlink_to("a.jpg")
    for source, template in (("a.jpg", "{stem}.jpg"), ("a.jpg", "link.jpg"), ("link.jpg",) * 2):
        with pytest.raises(ConfigError, match="is an input"):
            plan(source, template=template, overwrite=True)
    with pytest.raises(ConfigError, match=r"elsewhere with `overlay`$"):
        plan_outputs(["a.jpg"], "a.jpg", 1, "overlay", True, option="overlay")


@pytest.mark.parametrize("template", ["", " "])
@pytest.mark.parametrize("option", ["output", "overlay"])
def test_an_empty_template_is_refused(template: str, option: str) -> None:
    with pytest.raises(ConfigError, match=f"`{option}` is empty"):
        plan_outputs(["a.jpg"], template, 1, "free", False, option=option)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_read_for_its_extension() -> None:
    os.mkfifo("pipe")
    assert outputs("pipe", template="out.jpg") == [["out.jpg"]]
    with pytest.raises(ConfigError, match="pipe has no picture's extension"):
        plan("pipe")


def test_crops_of_an_earlier_run_are_skipped() -> None:
    found = plan("a-best.jpg", "a.jpg", "b.jpg")
    assert [job.source for job in found.inputs] == ["a.jpg", "b.jpg"]
    assert found.skipped == ("a-best.jpg",)


def test_lower_ranks_of_an_earlier_run_are_skipped() -> None:
    found = plan("a-best-2.jpg", "a-best.jpg", "a.jpg", top_k=2)
    assert [job.source for job in found.inputs] == ["a.jpg"]
    assert set(found.skipped) == {"a-best-2.jpg", "a-best.jpg"}


def test_a_crop_whose_source_is_not_there_is_a_source_itself() -> None:
    assert outputs("a-best.jpg", "b.jpg") == [["a-best-best.jpg"], ["b-best.jpg"]]
