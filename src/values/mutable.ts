/** The same, for who makes one field by field. */
export type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };
