"""The local page of `basicsr page`: pictures restored in the browser, on this computer. No BasicSR."""
