from chaos import order


def test_the_order_is_one_whatever_the_ranks_the_cut_and_the_step_of_resume(tmp_path):
    cases, wrong = order.compare(tmp_path)
    assert cases >= 1000 and wrong == []
