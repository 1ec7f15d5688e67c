"""The local page of `basicsr page`, which restores pictures in the browser. Needs no BasicSR."""
