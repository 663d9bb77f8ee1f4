"""The table that the demo analyses if nothing was pasted."""

SAMPLE = """\
city,day,visitors,temperature,satisfaction
Lisbon,Mon,412,21.5,4.6
Lisbon,Tue,398,22.1,4.5
Lisbon,Wed,455,23.4,4.7
Oslo,Mon,187,9.2,4.1
Oslo,Tue,203,8.7,4.2
Oslo,Wed,191,,4.0
Kyoto,Mon,530,17.8,4.8
Kyoto,Tue,544,18.3,4.9
Kyoto,Wed,2210,18.0,4.4
Nairobi,Mon,301,24.9,4.3
Nairobi,Tue,288,25.2,4.4
Nairobi,Wed,315,24.1,4.5
"""
