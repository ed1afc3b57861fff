# The port is a literal on purpose.
require 'socket'

server = TCPServer.new(ARGV[0] || '0.0.0.0', 8000)
loop do
  client = server.accept
  nil while (line = client.gets) && line != "\r\n"
  text = File.read(File.join(__dir__, 'identity.txt'))
  client.write("HTTP/1.1 200 OK\r\nContent-Length: #{text.bytesize}\r\nConnection: close\r\n\r\n#{text}")
  client.close
rescue SystemCallError
  client&.close
end
