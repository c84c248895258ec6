import ast, importlib, inspect, io, json, os, sys, warnings

warnings.simplefilter("ignore")
tree = ast.parse(sys.stdin.buffer.read())
answer = sys.stdout
# What a package prints while it is imported is no part of the answer.
sys.stdout = sys.stderr = io.TextIOWrapper(open(os.devnull, "wb"))

names = {}  # what a name in the file stands for: (module, attribute or None)
for node in ast.walk(tree):
    if isinstance(node, ast.Import):
        for a in node.names:
            names[a.asname or a.name.split(".")[0]] = (a.name if a.asname else a.name.split(".")[0], None)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for a in node.names:
            names[a.asname or a.name] = (node.module, a.name)
# A name that the file also binds by itself may stand for something else.
for node in ast.walk(tree):
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        names.pop(node.name, None)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
        names.pop(node.id, None)
    elif isinstance(node, ast.arg):
        names.pop(node.arg, None)


def path(f):
    """The dotted name that is called, outermost first."""
    parts = []
    while isinstance(f, ast.Attribute):
        parts.append(f.attr)
        f = f.value
    return [f.id] + parts[::-1] if isinstance(f, ast.Name) and f.id in names else None


def find(parts):
    module, attribute = names[parts[0]]
    thing = importlib.import_module(module)
    for name in ([attribute] if attribute else []) + parts[1:]:
        thing = getattr(thing, name)
    return thing


found = []
for node in ast.walk(tree):
    given = [k.arg for k in node.keywords if k.arg] if isinstance(node, ast.Call) else []
    parts = path(node.func) if given else None
    if not parts:
        continue
    try:
        accepted = inspect.signature(find(parts)).parameters.values()
    except BaseException:
        continue
    if any(p.kind is p.VAR_KEYWORD for p in accepted):
        continue
    known = {p.name for p in accepted if p.kind is not p.POSITIONAL_ONLY}
    found += [{"call": ".".join(parts), "argument": a, "line": node.lineno} for a in given if a not in known]
print(json.dumps(found), file=answer, flush=True)
os._exit(0)  # what was imported may have left threads
