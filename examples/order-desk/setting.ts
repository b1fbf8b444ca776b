/** Settings come from the environment: the processes of the order desk share nothing else. */
export function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`The environment variable ${name} is not set. Start the order desk with "npm run demo".`);
  return value;
}
