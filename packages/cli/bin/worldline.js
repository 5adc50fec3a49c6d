#!/usr/bin/env node
// Starts worldline under the Node that the installation pins (design decision D1). Old syntax on purpose: this file must
// also run where the system's Node is too old for everything else, to say so.
'use strict';

var fs = require('fs');
var path = require('path');

var MIN_MAJOR = 22;
var MIN_MINOR = 13;

function recentEnough(version) {
  var parts = version.replace(/^v/, '').split('.');
  var major = Number(parts[0]);
  return major > MIN_MAJOR || (major === MIN_MAJOR && Number(parts[1]) >= MIN_MINOR);
}

// By one call of the system where Node has it, and not by looking at every folder on the way.
var realpath = fs.realpathSync.native || fs.realpathSync;

// The binary of a node-<platform>-<arch> package, in the nearest node_modules that has one.
function pinnedNode() {
  var file = process.platform === 'win32' ? path.join('bin', 'node.exe') : path.join('bin', 'node');
  var name = 'node-' + process.platform + '-' + process.arch;
  var folder = realpath(__dirname);
  for (;;) {
    var candidate = path.join(folder, 'node_modules', name, file);
    if (fs.existsSync(candidate)) return realpath(candidate);
    var parent = path.dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

// Is this the very version that is pinned, from wherever? Then a second process would only take its time.
function isPinnedVersion(node) {
  try {
    var manifest = path.join(path.dirname(path.dirname(node)), 'package.json');
    return 'v' + JSON.parse(fs.readFileSync(manifest, 'utf8')).version === process.version;
  } catch (ignored) {
    return false;
  }
}

function runUnder(node) {
  var child = require('child_process');
  var started;
  var signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];
  var handlers = {};
  // Before the start: a signal that comes at once must not end this process alone.
  signals.forEach(function (signal) {
    // Ctrl-C reaches the whole group by itself; passing it on again would count as the second, hurried one.
    handlers[signal] = function () {
      if (started && (signal !== 'SIGINT' || !process.stdin.isTTY)) started.kill(signal);
    };
    try {
      process.on(signal, handlers[signal]);
    } catch (ignored) {
      // A signal that this platform does not have cannot arrive either.
    }
  });
  started = child.spawn(node, [__filename].concat(process.argv.slice(2)), { stdio: 'inherit' });
  started.on('error', function (error) {
    console.error('error[host_error]: ' + node + ' did not start: ' + error.message);
    process.exit(1);
  });
  started.on('exit', function (code, signal) {
    if (signal === null) process.exit(code);
    signals.forEach(function (name) {
      process.removeListener(name, handlers[name]);
    });
    process.kill(process.pid, signal);
  });
}

var pinned = pinnedNode();
if (pinned !== undefined && pinned !== realpath(process.execPath) && !isPinnedVersion(pinned)) {
  runUnder(pinned);
} else if (recentEnough(process.version)) {
  require('./start.js');
} else {
  console.error(
    'error[node_version]: worldline needs Node ' +
      MIN_MAJOR +
      '.' +
      MIN_MINOR +
      ' or newer, this is ' +
      process.version,
  );
  console.error('  hint: install a current Node, or run "npm ci" where this machine can install the Node it pins');
  process.exit(1);
}
