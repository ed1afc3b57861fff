run lambda { |_env|
  [200, { 'Content-Type' => 'text/plain' }, [File.read('identity.txt')]]
}
