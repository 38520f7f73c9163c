"""``report.html``: one page that shows people what an output holds.

In: the manifests of an output and its summary, read table by table.
Out: the page, which asks nothing of any other file or network.
Not imported here: the results, the engines, the command line.
"""
