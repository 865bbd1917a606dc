from graft.params.combinations import TECHNIQUES
from graft.params.techniques import Dan, LwF
from graft.wording import TECHNIQUE_WORDS, in_words, with_values


def test_every_technique_has_a_name() -> None:
    assert set(TECHNIQUE_WORDS) == {str(name) for name in TECHNIQUES}


def test_a_strategy_is_called_by_its_techniques() -> None:
    assert in_words("full", ()) == "full"
    assert in_words("full", ("l2_sp",)) == "full with L2-SP"
    assert in_words("l2_sp", ()) == in_words("l2_sp", ("l2_sp",)) == "full with L2-SP"
    assert in_words("lora", ("l2_sp", "dan")) == "full with LoRA, L2-SP and DAN"


def test_values_are_said_in_words() -> None:
    assert with_values(LwF(kind="lwf", strength=1.0, temperature=2.5)) == "LwF, strength 1, temperature 2.5"
    dan = Dan(kind="dan", strength=0.1, blocks=("a", "b", "c"))
    assert with_values(dan) == "DAN, strength 0.1, blocks a, b and c"
    assert (with_values("none"), with_values("whole"), with_values("bias")) == ("none", "whole", "bias-only tuning")
