-- The words of a search as patterns that match nothing but themselves, so that a name is looked through once for each word.
CREATE FUNCTION patterns_of_search(value text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_agg('%' || regexp_replace(word, '([\\%_])', '\\\1', 'g') || '%')
    FROM regexp_split_to_table(public.fold(value), '\s+') AS word
$$;
GRANT EXECUTE ON FUNCTION patterns_of_search(text) TO permanence_tenant;
