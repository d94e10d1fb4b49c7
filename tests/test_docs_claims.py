"""What the pages say about the articles' claims is what the edits of the architectures count."""

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import mobilevision as mv
from mobilevision import zoo
from mobilevision.blocks import MobileMQA
from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.pages.demo.runtime import RUNTIMES
from mobilevision.pages.devices import DEVICES, Device, Fit
from mobilevision.tasks.catalog import TASKS
from mobilevision.train.recipes import RECIPES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import claims
import roofline
from claimed import TRIALS, Claim, MultiHead, Trial, bent, counts, find_trial, pair
from claims_page import NAMED, drawn, page

DOCS = Path(__file__).resolve().parents[1] / "docs"
INT8, README, SECURITY = DOCS / "int8_accuracy.md", DOCS.parent / "README.md", DOCS.parent / "SECURITY.md"
CLAIMS = [(trial, claim) for trial in TRIALS for claim in trial.claims]


def less(name: str) -> tuple[float, float]:
    """By how many million multiply-accumulates a claim's idea needs less, and the share that it leaves."""
    ((trial, claim),) = [found for found in CLAIMS if found[1].name == name]
    new, old = pair(trial, claim)
    return (old.macs - new.macs) / 1e6, new.macs / old.macs


def test_full_convolutions_cost_what_table_4_says_and_separable_ones_8_to_9_times_less() -> None:
    trial = find_trial("separable")
    full = counts(trial, "full")

    assert (round(full.macs / 1e6, -1), round(full.params / 1e6, 1)) == (4870, 29.3)  # 4866 and 29.3 in the paper
    assert round(full.macs / 1e6) == 4867
    assert 8 < 1 / less("V1: separable convolutions")[1] < 9


def test_a_linear_bottleneck_is_free() -> None:
    assert less("V2: linear bottleneck") == (0, 1)


def test_the_cheaper_ends_of_v3_save_what_section_5_says() -> None:
    assert round(less("V3: cheaper stem")[0], 1) == 10.4  # 10 in the paper
    assert round(less("V3: cheaper last stage")[0], 1) == 34.3  # 30 in the paper


def test_the_detector_on_v3_needs_a_third_less_than_the_one_on_v2() -> None:
    assert round(less("V3: detection against V2")[1], 2) == 0.67  # 0.51 / 0.80 = 0.64 in the paper
    assert round(less("V3: reduced tail")[1], 2) == 0.85  # 0.51 / 0.62 = 0.82 in the paper


def test_only_the_extra_filters_of_a_form_are_counted() -> None:
    shares = {name: less(f"V4: {name} against IB")[1] for name in ("ExtraDW", "ConvNext", "FFN")}

    assert shares["FFN"] < shares["ConvNext"] < 1 < shares["ExtraDW"] < 1.05


def test_shared_keys_and_values_save_what_table_2_says_of_what_attention_adds() -> None:
    new, old = pair(find_trial("attention"), find_trial("attention").claims[0])

    assert round(100 * (1 - new.macs / old.macs)) == 38  # 28.6 in the paper, whose blocks are not told
    assert round(100 * (1 - new.params / old.params)) == 44  # 25.5 in the paper


def test_spatial_reduction_takes_three_quarters_of_the_attention_products() -> None:
    saved, share = less("V4: spatial reduction")

    assert round(saved, 1) == 115.7  # 40 in the paper
    assert round(share, 3) == 0.917


FIGURES = {  # claim -> what its paper says, with its unit: in words, in figures, and as a share of the time
    "V1: separable convolutions": (["8 to 9 times"], ["4866 M", "569 M"], ()),
    "V2: linear bottleneck": ([], [], ()),
    "V3: cheaper last stage": (["30 M", "11 %"], ["-7 ms", "-30 M"], (1 - 0.11,)),
    "V3: cheaper stem": (["10 M"], ["-2 ms", "-10 M"], ()),
    "V3: detection against V2": (["25 %"], ["162 ms", "0.80 B", "119 ms", "0.51 B"], (119 / 162,)),
    "V3: reduced tail": ([], ["137 ms", "0.62 B", "119 ms", "0.51 B"], (119 / 137,)),
    "V4: ExtraDW against IB": ([], [], ()),
    "V4: ConvNext against IB": ([], [], ()),
    "V4: FFN against IB": ([], [], ()),
    "V4: Mobile MQA against multi-head": (
        ["39 %", "28.6 %", "25.5 %"],
        ["-39.0 %", "-84.2 %", "-41.1 %"],
        (1 - 0.39,),
    ),
    "V4: spatial reduction": (["20 %"], ["15.8 ms", "1.285 G", "12.8 ms", "1.245 G", "-0.06 points"], (12.8 / 15.8,)),
}


def test_every_claim_has_the_figures_of_its_paper() -> None:
    figure = re.compile(r"-?[\d.]+(?: to [\d.]+)? (?:ms|%|[MBG]|points|times)(?!\w)")

    told = {claim.name: (claim.says, claim.published, claim.share) for _, claim in CLAIMS}

    assert {
        name: (figure.findall(says), figure.findall(published), pytest.approx(share))
        for name, (says, published, share) in told.items()
    } == FIGURES


def test_what_attention_is_claimed_to_cost_follows_from_table_2() -> None:
    # arXiv:2404.10518: G MACs, M parameters, ms on Pixel 8's and 7's EdgeTPU and on Galaxy S23's GPU
    plain, own, shared = (
        np.array(row)
        for row in ((6.0, 30.9, 2.35, 4.31, 13.15), (6.7, 36.0, 2.76, 9.69, 16.46), (6.5, 34.7, 2.60, 5.16, 15.10))
    )

    less = 100 * (own - shared) / (own - plain)

    assert less.round(1).tolist() == [28.6, 25.5, 39.0, 84.2, 41.1]


def test_every_claim_names_networks_of_its_trial_and_its_paper() -> None:
    for trial, claim in CLAIMS:
        assert {claim.new, claim.old, claim.above} <= {*trial.networks, ""}
        assert claim.source.startswith("arXiv:")
    assert len({claim.name for _, claim in CLAIMS}) == len(CLAIMS)
    with pytest.raises(UsageError, match="did you mean uib"):
        find_trial("uibs")


def test_multi_head_attention_is_mobile_mqa_where_all_heads_have_the_same_keys() -> None:
    torch.manual_seed(0)
    shared, own = (block(16, heads=3, dim=8, scale=1.0).build(16).eval() for block in (MobileMQA, MultiHead))
    weights = {
        name: weight.repeat(3, 1, 1, 1) if "key" in name or "value" in name else weight
        for name, weight in shared.state_dict().items()
    }
    own.load_state_dict(weights)
    x = torch.randn(2, 16, 5, 7)

    torch.testing.assert_close(own(x), shared(x))


def test_a_bent_network_is_never_negative_where_the_linear_one_is() -> None:
    torch.manual_seed(0)
    straight = zoo.arch("mobilenetv2", width=0.25, size=32)
    place = (2, 0)  # without a residual, so that the projection itself is seen
    maps = [
        Network(arch, 4).eval().features(torch.randn(1, 3, 32, 32), [arch.tap(place)])[0]
        for arch in (straight, bent(straight))
    ]

    assert maps[0].min() < 0 <= maps[1].min()


def test_what_both_are_measured_above_is_taken_off() -> None:
    claim = Claim("", "", "", "", new="a", old="b", above="c")
    machine = np.repeat(np.random.default_rng(0).uniform(1, 2, 20), 10)
    laps = {name: machine * time for name, time in {"a": 3.0, "b": 6.0, "c": 1.0}.items()}

    assert claims.timed(claim, laps) == pytest.approx((0.4, 0.4, 0.4))


def results(*trials: Trial) -> dict[str, dict[str, object]]:
    facts = {"runtime": "runtime 1", "load": 0.5, "laps": 60, "machine": "a processor", "date": "2026-01-01"}
    return {
        f"{trial.name} {to}": facts | {"shares": {claim.name: [0.5, 0.4, 0.6] for claim in trial.claims}}
        for trial in trials
        for to in NAMED
    }


def test_the_page_says_what_was_not_measured() -> None:
    text = page(results(TRIALS[0]))

    assert text.count("0.500 [0.400, 0.600]") == 2
    assert text.count("not measured") == 2 * (len(CLAIMS) - 1)
    assert drawn(results(*TRIALS)).count("<circle") == 2 + 2 * len(CLAIMS)
    assert "nan" not in drawn({"uib litert": {"shares": {"V4: FFN against IB": [0.5, -2.0, 1e9]}}})


@pytest.mark.parametrize("name", ["distillation", "footing", "threads", "time_to_accuracy", "train_throughput"])
def test_a_page_about_trainings_is_made_of_the_results_beside_it(name: str) -> None:
    found = json.loads((DOCS / f"{name}.json").read_text(encoding="utf-8"))

    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == importlib.import_module(name).written(found)


def test_every_recipe_is_on_the_page_about_trainings() -> None:
    text = (DOCS / "training.md").read_text(encoding="utf-8")

    assert [name for name in RECIPES if f"`{name}`" not in text] == []


def test_every_name_of_the_face_is_on_the_page_of_names() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")

    assert [name for name in mv.__all__ if not re.search(rf"`{name}`|:: mobilevision\.{name}\n", text)] == []


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def test_what_is_told_of_8_bits_outside_the_tables_is_in_the_results_beside_the_page() -> None:
    text, readme = (" ".join(file.read_text(encoding="utf-8").split()) for file in (INT8, README))
    found = json.loads(INT8.with_suffix(".json").read_text(encoding="utf-8"))
    litert, onnx = (found[f"hybrid at lr 2e-3/{to}"] for to in ("litert", "onnx"))
    crops = [found[f"photographs/ImageNet-like photographs, {half}/litert"] for half in ("even", "odd")]
    count = sum(each["pictures"] for each in crops)
    sure, alike = (sum(each["pictures"] * each[share] for each in crops) for share in ("sure", "agreement"))

    assert f"right on {percent(litert['accuracy_float32'])} of the test pictures" in text
    assert f"{percent(litert['accuracy_file'])} (LiteRT) and {percent(onnx['accuracy_file'])} (ONNX)" in text
    assert f"mirrored: on {percent(1 - sure / count, 0)} of them" in text
    assert f"LiteRT has {alike:.0f} of the {count}" in text
    assert f"the same class as float32 on {100 * alike / count:.0f} of 100 crops" in readme
    for to in ("executorch", "coreml", "openvino", "openvino/mse", "openvino/percentile", "openvino/plain"):
        even, odd = (found[f"photographs/ImageNet-like photographs, {half}/{to}"] for half in ("even", "odd"))
        assert f"{percent(even['agreement']).removesuffix(' %')} and {percent(odd['agreement'])}" in text
        lost = [f"{each['divergence']:.3f}".lstrip("0") for each in (even, odd)]
        assert "/" not in to or f", {lost[0]} and {lost[1]}" in text
    named = [found[f"photographs/ImageNet-like photographs, {half}/openvino"] for half in ("even", "odd")]
    assert f"OpenVINO {sum(each['agreement'] * each['pictures'] for each in named):.0f} of the {count}" in text


def test_the_edgetpu_takes_classifiers_without_attention_alone() -> None:
    told = json.loads((DOCS / "works_tests.json").read_text(encoding="utf-8"))
    asked = [each for each in told if each["format"] == "edgetpu"]

    assert {each["task"] for each in asked} == TASKS.keys()
    assert all(("refused" in each) == (each["attention"] or each["task"] != "classify") for each in asked)
    taken = {each["family"] for each in asked if "refused" not in each}
    assert taken == {"mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenetv4", "mnasnet", "semnasnet"}


def test_the_browsers_runtimes_are_as_many_packages_and_files_as_the_page_on_security_says() -> None:
    packages = [package for runtime in RUNTIMES.values() for package in runtime.packages]

    assert (len(packages), sum(len(package.files) for package in packages)) == (3, 6)
    assert re.search(r"three npm packages.*six files", SECURITY.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_page_in_the_documentation_is_made_of_the_results_beside_it() -> None:
    found = json.loads((DOCS / "claims.json").read_text(encoding="utf-8"))

    assert (DOCS / "claims.md").read_text(encoding="utf-8") == page(found)
    assert (DOCS / "claims.svg").read_text(encoding="utf-8") == drawn(found) + "\n"


def test_the_table_of_phones_is_made_of_the_results_beside_it() -> None:
    facts = json.loads((DOCS / "roofline.json").read_text(encoding="utf-8"))
    found = [Fit(**(each | {"device": Device(*each["device"])})) for each in facts]
    head = [f"| {' | '.join(roofline.COLUMNS)} |", "|---" * len(roofline.COLUMNS) + "|"]

    assert tuple(fit.device for fit in found) == DEVICES
    assert "\n".join([*head, *map(roofline.line, found)]) in (DOCS / "roofline.md").read_text(encoding="utf-8")


def test_what_is_said_of_the_phones_is_what_the_table_holds() -> None:
    text = " ".join((DOCS / "roofline.md").read_text(encoding="utf-8").split())
    facts = {each["device"][0]: each for each in json.loads((DOCS / "roofline.json").read_text(encoding="utf-8"))}
    pixel, galaxy = facts["Pixel 6 CPU"], facts["Galaxy S23 CPU"]
    accelerators = [facts[name] for name in ("Pixel 8 EdgeTPU", "Pixel 4 Hexagon")]

    assert f"puts at {pixel['device'][1]} and {galaxy['device'][1]}" in text
    assert f"the times alone find {pixel['times_ridge']:.0f} and {galaxy['times_ridge']:.0f}" in text
    assert f"below the paper's {accelerators[0]['device'][1]} and {accelerators[1]['device'][1]}" in text
    assert all(each["ridge"] < each["times_ridge"] < each["device"][1] / 2 for each in accelerators)


def test_what_is_said_of_searches_is_in_the_results_beside_the_page() -> None:
    import latency_prediction
    import search_against
    import search_controllers
    import search_cost

    text = (DOCS / "search_results.md").read_text(encoding="utf-8")
    found = json.loads((DOCS / "search_results.json").read_text(encoding="utf-8"))
    alone, again = found["one_network_ms"], found["run_again_and_again"]

    assert all(latency_prediction.line(each) in text for each in found["predictions"])
    assert all(latency_prediction.tried(each) in text for each in found["predictions"])
    assert found["landings"][0]["met"]
    for told in found["landings"]:
        assert all(search_cost.line(each, steps=told["steps"]) in text for each in told["landings"])
    words, fought = " ".join(text.split()), found["against"]
    fixed = found["controllers"]
    assert fixed["seeds"] == list(search_controllers.REPORTED)
    for name, reached in fixed["reached"].items():
        close = sum(reward >= search_controllers.CLOSE for reward in reached)
        assert f"| {name} | {search_controllers.told(reached)} | {close} of 5 |" in text
    assert f"alone earned {search_controllers.told(fixed['likeliest_alone'])}, within" in words
    tuning = fixed["tuning"]
    assert f"within 1 % in {tuning['likeliest']} (with one step more" in words
    assert f"in {tuning['likeliest_one_step_more']}: chance" in words
    assert f"the best of eight in {tuning['finalists']}; some forty" in words
    anew = [f"{each['predicted']['ms']:.3f}" for each in found["foretold_anew"]]
    assert f"are foretold {', '.join(anew[:-1])} and {anew[-1]} ms" in words
    assert all(abs(each["predicted"]["ms"] / each["target_ms"] - 1) <= 0.02 for each in found["foretold_anew"])
    for told in (fought, found["against_before"]):
        assert all(line in text for line in search_against.lines(told))
    assert f"took {fought['minutes']:.0f} minutes (at most 60" in words
    assert f"Random search tried {fought['random_search']['trials']} networks" in words
    assert f"it had {fought['random_rows']['timed']} more timed in {fought['random_rows']['minutes']:.0f} min" in words
    scaled = fought["scaled"]
    assert (
        f"{scaled['width']:g} took {scaled['ms']:.3f} ms beside the found one's {scaled['found_ms']:.3f} in turns"
        in words
    )
    later, first = fought["scaled_again"], fought["first_fold"]
    assert f"{min(later['ratios']):.3f} to {max(later['ratios']):.3f}, median {later['median']:.3f}" in words
    assert f"it came to {fought['random_longer']['trials']} candidates, and the best" in words
    assert fought["random_search"]["digest"] == fought["random_longer"]["digest"]
    pairs, shuffled = fought["scaled_pairs"], fought["scaled_shuffled"]
    below, above = pairs["1.53"], pairs["1.534"]
    assert len(below["ratios"]) == len(above["ratios"]) == 10
    assert f"width 1.53 takes {below['ratio']:.3f} of what the found one takes" in words
    assert f"({min(below['ratios']):.3f} to {max(below['ratios']):.3f})" in words
    assert f"timed so, 1.534, {above['ratio']:.3f}. So" in words
    step = above["ratio"] / below["ratio"] - 1
    assert f"costs {100 * step:.0f} %, and the network found lies inside" in words
    assert f"As fast, but to {100 * (1 - below['ratio']):.1f} %." in words
    narrow = f"{pairs['1.52']['ratio']:.3f} of it ({fought['scaled_wider']['ratio']:.3f} the day before)"
    assert f"1.52, narrower still and {narrow}" in words
    channels = [{each.out for each in zoo.arch(search_against.RIVAL, width=w).stages[4]} for w in (1, 1.53, 1.534)]
    assert channels == [{128}, {192}, {200}]
    told = ", ".join(f"{shuffled[width]['ratio']:.3f}" for width in ("1.522", "1.53"))
    assert f"in another order: {told} and {shuffled['1.532']['ratio']:.3f}" in words
    assert all(len(each["ratios"]) == 9 for each in shuffled.values())
    for side, width in ((fought["scaled_wider"], 1.52), (fought["scaled_slower"], 1.534)):
        less = side["found_less"]
        assert side["width"] == width
        assert less["low"] >= search_against.WORST
        assert f"{side['right']:.2%}" in words
        told = f"{100 * less['low']:+.2f} to {100 * less['high']:+.2f})"
        assert f"{100 * less['difference']:+.2f}" in words[: words.index(told)]
    assert f"right on {100 * first['quick']:.1f} % of" in words
    assert f"where that left {100 * first['scratch_small']:.1f} %" in words
    spread = [f"{least:.1%} to {most:.1%}" for least, most in fought["finalists_spread"].values()]
    assert f"({' and '.join(spread)}; random search's have a median of {fought['random_median']:.1%})" in words
    assert f"took {alone['alone']:.2f} ms alone and {alone['among']:.2f} ms among nine others" in words
    assert f"it takes {alone['emptied_alone']:.2f} alone and {alone['emptied_among']:.2f} among others" in words
    assert f"to {again['litert int8']} and {again['onnx int8']} %, since" in words
    assert f"float32 to {again['litert fp32']} and {again['onnx fp32']} %, since" in words


def test_what_is_said_of_races_and_of_other_forms_is_in_the_results_beside_the_page() -> None:
    text = " ".join((DOCS / "export_forms.md").read_text(encoding="utf-8").split())
    races, forms = (
        json.loads((DOCS / f"{name}.json").read_text("utf-8")) for name in ("export_latency", "other_forms")
    )

    def ours(name: str, to: str, pair: str) -> str:
        return f"{races[f'{name} {to}']['ratios'][pair][0]:.3f}"

    fp32, int8, own = "ours fp32 / theirs fp32", "ours int8 / theirs int8", "ours int8 / ours fp32"
    large, small, hybrid = "mobilenetv3_large_100", "mobilenetv3_small_100", "mobilenetv4_hybrid_medium"
    said = text[text.index("## What falls short") :]
    assert f"({ours(large, 'litert', int8)} and {ours(small, 'litert', int8)}, aims" in said
    assert f"on LiteRT {ours(hybrid, 'litert', fp32)} in fp32 (aim 0.90, reached)" in said
    assert f"reached) and {ours(hybrid, 'litert', int8)} in int8" in said
    for to in ("litert", "executorch", "openvino"):
        for each in (fp32, int8):
            assert f"{ours('emo_1m', to, each)} and {ours('emo_5m', to, each)} in" in said
    for name, word in (("mobilenetv2_100", "V2"), (large, "V3-large"), (small, "V3-small")):
        assert f"{word} {ours(name, 'litert', own)} of" in said
    for race in forms.values():
        assert all(f"{ratio[0]:.3f}" in text for pair, ratio in race["ratios"].items() if not pair.startswith("theirs"))
