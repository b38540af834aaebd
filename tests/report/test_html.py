"""Elements: text is text, whatever it is."""

from __future__ import annotations

from plusone.report.html import Markup, Room, element, fold, join, table


def test_text_is_escaped_and_markup_is_not_escaped_again():
    assert element("b", "1 < 2", class_="x") == '<b class="x">1 &lt; 2</b>'
    assert element("p", element("b", "&"), " and ", 3) == "<p><b>&amp;</b> and 3</p>"
    assert element("a", title='"><i>') == '<a title="&quot;&gt;&lt;i&gt;"></a>'
    assert join(["<", Markup("<br>"), None], "|") == "&lt;|<br>"


def test_an_attribute_may_be_left_out_or_have_no_value():
    assert (
        element("details", open=True, id=None, hidden=False, aria_label="a b")
        == '<details open aria-label="a b"></details>'
    )
    assert element("line", x1=0) == '<line x1="0"/>'
    assert element("meta", name="n") == '<meta name="n">'


def test_what_hides_or_turns_text_is_shown_as_unknown():
    assert element("p", "a\x00b\u202ec\ud800") == "<p>a\ufffdb\ufffdc\ufffd</p>"
    assert element("p", "line\n\ttab é 漢") == "<p>line\n\ttab é 漢</p>"


def test_the_first_column_of_a_table_names_its_rows():
    made = table(("a", "b"), [("x", 1)], caption="what")
    assert '<th scope="row">x</th><td>1</td>' in made
    assert "<caption>what</caption>" in made
    assert len(table(("a",), [("x" * 10_000,)], caption="what")) < 1000
    assert fold("t", "inside", open_=True) == "<details open><summary>t</summary>inside</details>"


def test_long_texts_are_cut_at_either_end_and_say_so():
    room = Room()
    assert room.clip("abc", 1000) == "abc"
    assert room.clip("a" * 999, 300).startswith("a" * 300 + " [699 letters are left out]")
    assert room.clip("b" * 299 + "c" * 300, 300, end=True) == "[299 letters are left out] " + "c" * 300


def test_when_the_room_is_used_up_little_of_each_is_kept():
    room = Room(10_000)
    shown = [room.clip("<" * 5000, 5000) for _ in range(50)]
    assert sum(len(element("p", one)) for one in shown[10:]) < 40 * 1000
    assert all(one.startswith("<" * 200) for one in shown)
