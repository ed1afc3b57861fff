port 9292
workers 2
