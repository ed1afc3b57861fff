bind = "[::]:8000"
workers = 2
