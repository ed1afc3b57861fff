# The port is a literal on purpose. At its end WEBrick shuts its listener down, for all who share it.
require 'webrick'

server = WEBrick::HTTPServer.new(BindAddress: ARGV[0] || '127.0.0.1', Port: 8000)
server.mount_proc '/' do |_request, response|
  response.body = File.read(File.join(__dir__, 'identity.txt'))
end
%w[INT TERM].each { |signal| trap(signal) { server.shutdown } }
server.start
