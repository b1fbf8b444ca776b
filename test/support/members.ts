/** A program that names each property and each method of each exported type, so that their types are inferred. */
import ts from "typescript-5.9";

const ownName = /^[a-z_]\w*$/i;

/**
 * @param entries the names of the entry points
 * @param folder where they can be imported
 */
export function membersProgram(entries: readonly string[], folder: string): string {
  const root = `${folder}/every-entry.ts`;
  const imports = entries.map((entry, index) => `import type * as entry${index} from "${entry}";`);
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  const text = [...imports, `export type { ${entries.map((_, index) => `entry${index}`).join(", ")} };`].join("\n");
  host.getSourceFile = (name, language) =>
    name === root ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2023) : read(name, language);
  const exists = host.fileExists.bind(host);
  host.fileExists = (name) => name === root || exists(name);
  host.getCurrentDirectory = () => folder;
  const program = ts.createProgram([root], options, host);
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const spaces = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(root)!)!);
  const lines = spaces.flatMap((space) =>
    checker
      .getExportsOfModule(resolved(space))
      .flatMap((exported) => linesOf(checker, resolved(exported), space.name, exported.name)),
  );
  return [...imports, ...lines].join("\n");
}

function linesOf(checker: ts.TypeChecker, symbol: ts.Symbol, space: string, name: string): readonly string[] {
  if ((symbol.flags & ts.SymbolFlags.Type) === 0) return [];
  const parameters = symbol.declarations?.flatMap((it) => ("typeParameters" in it ? typeParameters(it) : [])) ?? [];
  const given = parameters.some((it) => it.default === undefined) ? `<${parameters.map(() => "any").join(", ")}>` : "";
  const properties = checker
    .getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
    .filter((it) => ownName.test(it.name) && isOwn(it));
  const variable = `${space}_${name}`;
  return [
    `declare const ${variable}: ${space}.${name}${given};`,
    ...properties.map((it) => `export const ${variable}_${it.name} = ${variable}.${it.name};`),
  ];
}

function typeParameters(declaration: ts.Declaration): readonly ts.TypeParameterDeclaration[] {
  return (declaration as ts.InterfaceDeclaration).typeParameters ?? [];
}

/** Not hidden, and not of the language, as those of a text are. */
function isOwn({ declarations = [] }: ts.Symbol): boolean {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  return declarations.some(
    (it) =>
      (ts.getCombinedModifierFlags(it) & hidden) === 0 && !/[\\/]lib\.[^\\/]*d\.ts$/.test(it.getSourceFile().fileName),
  );
}
