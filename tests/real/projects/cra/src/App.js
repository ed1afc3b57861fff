import { useEffect, useState } from 'react';

export default function App() {
  const [identity, setIdentity] = useState('');
  useEffect(() => {
    fetch('/identity.txt')
      .then((answer) => answer.text())
      .then(setIdentity);
  }, []);
  return <main>Welcome, {identity}</main>;
}
