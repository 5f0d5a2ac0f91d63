// Refuses a Node that is too old, in one line instead of a stack trace. Runs before everything else and on any Node
// that knows modules, so: no syntax and no API younger than Node 12.
var major = Number(process.versions.node.split('.')[0]);
if (!(major >= 24)) {
  console.error(
    'Hearth needs Node 24 or newer; this is v' +
      process.versions.node +
      '. Run it through npm (npm ci installs Node 24): npm start',
  );
  process.exit(1);
}
