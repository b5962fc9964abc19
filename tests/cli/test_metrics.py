"""`penstock metrics` prints what the record counts."""


def test_the_command_prints_them(ran_once, penstock):
    shown = penstock("metrics", "-C", ran_once)
    assert shown.exit_code == 0
    assert 'penstock_tasks{campaign="winter",stage="copy",state="done"} 2' in shown.output
