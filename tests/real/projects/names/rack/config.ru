require 'rack'
require 'rack/protection'

# The checks that Sinatra switches on by itself.
use Rack::Session::Cookie, key: 'rack.session', secret: 'only-for-this-test-project' * 4
use Rack::Protection::HttpOrigin
use Rack::Protection::RemoteToken

run lambda { |env|
  request = Rack::Request.new(env)
  session = env['rack.session']
  session[:name] = request.params['name'] if request.post?
  form = <<~HTML
    <!DOCTYPE html>
    <title>Rack shop</title>
    <p>#{session[:name] || 'nobody'} over #{request.scheme} at #{request.base_url}: #{File.read('identity.txt')}</p>
    <form method="post">
      <input name="authenticity_token" type="hidden" value="#{Rack::Protection::AuthenticityToken.token(session)}">
      <input name="name">
      <button>Log in</button>
    </form>
  HTML
  [200, { 'Content-Type' => 'text/html' }, [form]]
}
