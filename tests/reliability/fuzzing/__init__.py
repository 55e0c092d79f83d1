"""Inputs that are wrong in every way, thousands of them, and a judge of what readers make of each.

`mutations` makes them of valid ones, `judge` says what may become of one, `guided` steers by the lines that it reaches,
`data_files`, `checkpoints`, `stored` and `command_lines` are what is read, and `campaign` runs it all, in a process
whose memory is bounded.
"""
